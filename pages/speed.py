"""Speed: the latest measurements beside their baselines, earlier ones, and how cost grows."""

import pandas as pd
import streamlit as st

from core.bench.row import outcomes
from dashboard.components import empty_state, head
from dashboard.resources import settings
from dashboard.speed_view import growth_figure, table

head("Speed", "What this machine does, measured beside what people would use instead.")

found = outcomes(settings())
if not found:
    with empty_state(
        "speed", "Nothing measured yet", "Measure this machine once it has nothing else to do (a few minutes)."
    ):
        st.code("edgeface-studio bench", language="bash")
    st.stop()

labels = {f"{each.at[:16].replace('T', ' ')} UTC{' (quick)' if each.quick else ''}": each for each in found}
chosen = labels[st.selectbox("Measured", list(labels), key="speed_run")]
facts = chosen.machine
st.caption(
    f"{facts.get('cpu', '')}, {facts.get('threads', '?')} threads, PyTorch {facts.get('torch', '?')}, "
    f"{'with' if facts.get('bfloat16') else 'without'} bfloat16; medians of calls in turns, {chosen.seconds:.0f} s."
)
if chosen.quick:
    st.warning("A quick run: tiny sizes that show that all works. Its figures mean nothing.", icon=":material/info:")
st.dataframe(table(chosen), hide_index=True, width="stretch")
with st.expander("Baselines and notes"):
    for row in chosen.rows:
        if row.command or row.note or row.skipped:
            st.markdown(f"**{row.what}**")
            st.text(row.skipped or row.note)
            if row.command:
                st.code(row.command, language=None, wrap_lines=True)

if chosen.curves:
    st.subheader("How cost grows", anchor=False)
    st.plotly_chart(growth_figure(chosen.curves), width="stretch", config={"displayModeBar": False})
    st.caption(
        "Both axes are logarithmic: a straight line that rises as steeply as its neighbours grows in proportion."
    )

history = [
    {
        "Measured": each.at[:16].replace("T", " "),
        "What": row.what,
        "Ours": row.ours,
        "Unit": row.unit,
        "Times": row.ratio,
    }
    for each in found
    for row in each.rows
    if row.ratio is not None and not each.quick and not row.name.startswith("engine-")
]
if len({row["Measured"] for row in history}) > 1:
    st.subheader("Earlier runs", anchor=False)
    st.dataframe(pd.DataFrame(history), hide_index=True, width="stretch")
