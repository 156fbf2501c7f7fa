"""Speed: the latest measurement, how cost grows, and earlier measurements."""

import streamlit as st

from core.bench.row import outcomes
from core.system.text import count
from dashboard.shell.resources import settings
from dashboard.speed.view import growth_figure, history, measure_button, measure_panel, show_table, when
from dashboard.ui.components import empty_state, head
from dashboard.ui.markdown import plain

head("Speed", "How fast this machine finds, embeds and searches faces.")

found = outcomes(settings())
measuring = measure_panel()
if not found:
    if not measuring:
        with empty_state(
            "speed",
            "Nothing measured yet",
            "A measurement takes about a minute. Run nothing else meanwhile: other load on the machine affects the "
            "figures.",
        ):
            measure_button(primary=True)
            st.caption("Or in a terminal:", text_alignment="center")
            st.code("edgeface-studio bench", language="bash")
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    chosen = found[st.selectbox("Measured", range(len(found)), format_func=lambda n: when(found[n]), key="speed_run")]
    if not measuring:
        measure_button(primary=False)
facts = chosen.machine
st.caption(
    f"{plain(facts.get('cpu', ''))}, {count(int(facts.get('threads', 0)), 'thread')}, "
    f"PyTorch {plain(facts.get('torch', '?'))}, "
    f"{'with' if facts.get('bfloat16') else 'without'} bfloat16, {plain(facts.get('encoder', ''))}; "
    f"medians; {chosen.seconds:,.0f} s. Processes waiting for the processor before: {facts.get('load_before', '?')}."
)
if chosen.quick:
    st.warning(
        "A quick run with tiny sizes, which only shows that everything works. Its figures mean nothing.",
        icon=":material/info:",
    )
show_table(chosen)
if any(row.ratio is not None for row in chosen.rows):
    st.caption("Ratio: how many times better it is here than the baseline.")

if chosen.curves:
    st.subheader("How cost grows", anchor=False)
    st.plotly_chart(growth_figure(chosen.curves), width="stretch", config={"displayModeBar": False}, key="speed_growth")
    st.caption("Both axes are logarithmic. A line that rises by one step for each step to the right grows linearly.")

earlier = history(found)
if not earlier.empty:
    with st.expander("Earlier runs", icon=":material/history:"):
        st.dataframe(earlier, hide_index=True, width="stretch", key="speed_history")
