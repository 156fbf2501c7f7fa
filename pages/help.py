"""The Help page: searchable questions and answers; a link or an error opens one of them."""

from itertools import groupby

import streamlit as st

from core.system.text import count
from dashboard.help.topics import Topic, find, topic
from dashboard.ui.components import head
from dashboard.ui.markdown import plain


def answer(item: Topic, *, expanded: bool = False) -> None:
    with st.expander(item.title, expanded=expanded):
        st.markdown(item.body)


head("Help", "Short answers to common questions. Errors on other pages link to the answer that explains them.")

asked = topic(st.query_params.get("topic", ""))
if asked is not None:
    answer(asked, expanded=True)
    st.divider()

query = st.text_input(
    "Search", key="help_query", placeholder="threshold, 16 px, privacy…", icon=":material/search:", max_chars=100
)
found = [item for item in find(query) if item != asked or query]

if query.strip():
    st.caption(f"{count(len(found), 'answer')} for “{plain(query)}”" if found else "")
    if not found:
        st.info(f"No answer found for “{plain(query)}”. Try one word, such as “weights” or “photographs”.")
    for place, item in enumerate(found):
        answer(item, expanded=place == 0)
else:
    for group, items in groupby(found, key=lambda item: item.group):
        st.subheader(group, anchor=False)
        for item in items:
            answer(item)
