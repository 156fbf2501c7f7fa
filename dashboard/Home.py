"""EdgeFace Studio's entry: `streamlit run dashboard/Home.py`."""

import streamlit as st

from dashboard.feedback import feedback
from dashboard.navigation import all_pages
from dashboard.overview import view
from dashboard.weights_card import sidebar_status


def home() -> None:
    with feedback():
        view()


st.set_page_config(page_title="EdgeFace Studio", page_icon=":material/familiar_face_and_zone:", layout="centered")
chosen = st.navigation(all_pages(home))
with feedback():
    sidebar_status()
with feedback():
    chosen.run()
