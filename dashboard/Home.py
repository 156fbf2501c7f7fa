"""Entry point of the dashboard: `streamlit run dashboard/Home.py`.

Streamlit imports this file once and serves `app`, so that every connection passes the gate. For each run of a page it
executes the same file as `__main__`.
"""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from core.access.actor import resolve_with
from core.settings import data_folder
from core.system.logs import log_to_file
from core.system.private_files import keep_private
from dashboard.shell.gate import Gate
from dashboard.shell.session import current

keep_private(data_folder())
resolve_with(current)

if __name__ != "__main__":
    log_to_file(data_folder() / "logs" / "dashboard.log")
    app = st.App(__file__, middleware=[Middleware(Gate)])
else:
    from dashboard.home.view import view
    from dashboard.shell.error_display import feedback
    from dashboard.shell.navigation import all_pages
    from dashboard.shell.page_state import opened
    from dashboard.shell.sign_in import account, is_open, sign_in_screen
    from dashboard.shell.weights_badge import sidebar_status

    def home() -> None:
        with feedback():
            view()

    st.set_page_config(page_title="EdgeFace Studio", layout="centered")
    st.html(Path(__file__).parent / "ui" / "theme.css")
    inside = is_open()
    chosen = st.navigation(all_pages(home), position="sidebar" if inside else "hidden")
    opened(chosen.url_path)
    # After the navigation, whose titles leave out the product and whose icons come from another server.
    st.set_page_config(
        page_title="EdgeFace Studio" if chosen.url_path == "" else f"{chosen.title} · EdgeFace Studio",
        page_icon=Path(__file__).with_name("icon.svg"),
    )
    if inside:
        with feedback():
            account()
        with feedback():
            sidebar_status()
        with feedback():
            chosen.run()
    else:
        with feedback():
            sign_in_screen()
