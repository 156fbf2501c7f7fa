"""An error on a page: said in words with the next step; never a traceback, and no names in the log."""

from __future__ import annotations

import logging

from streamlit.testing.v1 import AppTest


def page_with_a_core_error():
    import streamlit as st

    from core.gallery.errors import NameTaken
    from dashboard.shell.error_display import feedback

    with feedback() as attempt:
        raise NameTaken("“*Ada*” is enrolled already.", "Choose <b>another</b> name.")
    st.write("goes on", attempt.ok)


def page_with_a_surprise():
    import streamlit as st

    from dashboard.shell.error_display import feedback

    with feedback() as attempt:
        people = {"Ada Lovelace": 1}
        people["Grace Hopper"]
    st.write("goes on", attempt.ok)


def page_without_an_error():
    import streamlit as st

    from dashboard.shell.error_display import feedback

    with feedback() as attempt:
        pass
    st.write("goes on", attempt.ok)
    with feedback():
        st.stop()
    st.write("not reached")


def said(app: AppTest) -> str:
    return "\n".join(each.value for each in app.markdown)


def test_a_core_error_says_what_and_the_next_step_as_text():
    app = AppTest.from_function(page_with_a_core_error).run()
    assert not app.exception
    [error] = [each.value for each in app.error]
    assert r"\*Ada\*" in error and r"\<b\>another\<\/b\>" in error
    assert "goes on" in said(app) and "False" in said(app)
    assert app.get("page_link")[0].proto.query_string == "topic=gallery"


def test_a_surprise_is_friendly_and_its_text_stays_out_of_the_log(caplog):
    with caplog.at_level(logging.ERROR):
        app = AppTest.from_function(page_with_a_surprise).run()
    assert not app.exception and "goes on" in said(app)
    [error] = [each.value for each in app.error]
    assert "Traceback" not in error and "KeyError" not in error and "Grace" not in error
    [record] = [each for each in caplog.records if each.name == "dashboard.shell.error_display"]
    text = caplog.text
    assert record.exc_info is None
    assert "KeyError" in text and "Grace" not in text and "Ada" not in text
    reference = error.split("`")[1]
    assert reference in text


def test_without_an_error_all_is_well_and_stopping_a_page_is_no_error():
    app = AppTest.from_function(page_without_an_error).run()
    assert not app.error and not app.exception
    assert "True" in said(app) and "not reached" not in said(app)
