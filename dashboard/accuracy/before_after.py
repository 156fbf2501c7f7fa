"""The comparison of two systems person by person: two of one run, or of two runs on the same data."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.errors import CoreError
from core.evaluation.chart_style import label, name_axis, new_figure
from core.evaluation.compare_runs import compare_evaluations, differing_aligners, of_system
from core.evaluation.plots import GENUINE, IMPOSTOR
from core.evaluation.result import Evaluation
from core.evaluation.table_format import compact, screen
from core.jobs.run_dir import Run
from core.models.measured import BICUBIC
from core.system.text import count
from dashboard.accuracy.data import EvaluationEntry, accuracy_runs, evaluation_of, read_entry
from dashboard.accuracy.tables import chart, table_download
from dashboard.runs.list import readable_entries
from dashboard.shell.error_display import show_error
from dashboard.ui.components import choose_one
from dashboard.ui.markdown import nonbreaking, plain

MOST = 30
_MOST_SYSTEMS = 12


def before_after_part(entry: EvaluationEntry, evaluation: Evaluation) -> None:
    """The choice of two systems, and the people who gained and lost between them."""
    options = choices(entry, evaluation)
    if len(options) < 2:
        st.info(
            "There is nothing to compare with yet. Measure other weights on the same data set, or several at once.",
            icon=":material/compare_arrows:",
        )
        return
    names = list(options)
    own = [name for name in names if options[name][0].id == entry.run.id]
    if len(own) > 1:
        first_two = own[1::-1] if _is_fed_directly(evaluation) else own[:2]
        before, after = map(names.index, first_two)
    else:
        before, after = names.index(next(n for n in names if n not in own)), names.index(own[0])
    columns = st.columns(2, gap="medium")
    first = columns[0].selectbox("Before", names, index=before, key="accuracy_before", persist_state="page")
    second = columns[1].selectbox("After", names, index=after, key="accuracy_after", persist_state="page")
    if first == second:
        st.info("Choose two different systems.", icon=":material/compare_arrows:")
        return
    try:
        compared = compare_evaluations(*(_chosen(*options[name]) for name in (first, second)), names=(first, second))
    except CoreError as error:
        show_error(error)
        return
    for warning in differing_aligners(compared.protocol["aligners"]):
        st.warning(plain(warning), icon=":material/warning:")
    _people(entry, compared)
    _change(entry, compared)


def _is_fed_directly(evaluation: Evaluation) -> bool:
    """Whether the second system is the first one's encoder without super-resolution: the one to start from."""
    one, other = evaluation.protocol["systems"][:2]
    fed = other.get("upscaler") == BICUBIC != one.get("upscaler")
    return bool(fed and other.get("weights_sha256") == one.get("weights_sha256"))


def choices(entry: EvaluationEntry, evaluation: Evaluation) -> dict[str, tuple[Run, str]]:
    """Systems by label: those of this run, and of the latest other runs on the same data."""
    found = {label: (entry.run, label) for label in _labels(evaluation)}
    key = evaluation.protocol.get("data_sha256")
    for other in readable_entries(accuracy_runs(), read_entry):
        if other.run == entry.run or other.state.status != "done" or len(found) >= _MOST_SYSTEMS:
            continue
        try:
            report = other.run.report or {}
        except CoreError:
            continue
        if report.get("kind") == evaluation.kind and report.get("protocol", {}).get("data_sha256") == key:
            for system in report["protocol"].get("systems", []):
                found[f"{system['label']} ({other.run.created.astimezone():%-d %b %H:%M:%S})"] = (
                    other.run,
                    system["label"],
                )
    return found


def change_chart(people: pd.DataFrame, most: int = MOST) -> go.Figure:
    """A line from before to after for each of the people who changed most: losses at the top, then gains."""
    moved = people[people["verdict"] != "same"]
    lost = moved[moved["verdict"] == "lost"].head(most // 2)
    gained = moved[moved["verdict"] == "gained"].tail(most - len(lost)).iloc[::-1]
    shown = pd.concat([lost, gained]).iloc[::-1].reset_index(drop=True)
    lowest = float(shown[["rank1_before", "rank1_after"]].min().min()) * 100 if len(shown) else 0.0
    figure = new_figure("Rank-1, %; the dot is after", height=24 * max(4, len(shown)) + 110)
    for verdict, colour in (("lost", IMPOSTOR), ("gained", GENUINE)):
        some = shown[shown["verdict"] == verdict]
        if some.empty:
            continue
        x: list[float | None] = []
        y: list[int | None] = []
        lines = [
            (row["identity"], row["rank1_before"] * 100, row["rank1_after"] * 100) for row in some.to_dict("records")
        ]
        for at, (_, before, after) in zip(some.index, lines, strict=True):
            x += [before, after, None]
            y += [int(at), int(at), None]
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"color": colour, "width": 3}, hoverinfo="skip", showlegend=False
        )
        figure.add_scatter(
            x=[after for *_, after in lines],
            y=list(some.index),
            mode="markers",
            name=verdict,
            marker={"color": colour, "size": 10},
            customdata=[[label(name, 40), before] for name, before, _ in lines],
            hovertemplate="%{customdata[0]}: %{customdata[1]:.1f} to %{x:.1f} %<extra></extra>",
        )
    figure.update_yaxes(**name_axis(list(shown["identity"]), 26))
    figure.update_xaxes(range=[max(-2.0, lowest - 5), 102])
    return figure


def _labels(evaluation: Evaluation) -> list[str]:
    return [str(system["label"]) for system in evaluation.protocol.get("systems", [])]


def _chosen(run: Run, label: str) -> Evaluation:
    return of_system(evaluation_of(run), label)


def _people(entry: EvaluationEntry, compared: Evaluation) -> None:
    people = compared.table("gained_lost")
    if people.empty:
        return
    views = people[["mode", "degradation", "probe", "size_px"]].drop_duplicates().sort_values("size_px")
    names: dict[str, tuple[str, str, str]] = {}
    for row in views.to_dict("records"):
        view = (str(row["probe"]), str(row["degradation"]), str(row["mode"]))
        names[", ".join(filter(None, view))] = view
    chosen = choose_one("Probe", {name: plain(name) for name in names}, "accuracy_changed_view")
    probe, degradation, mode = names[chosen]
    some = people[
        (people["probe"] == probe) & (people["degradation"] == degradation) & (people["mode"] == mode)
    ].reset_index(drop=True)
    verdicts = some["verdict"].value_counts()
    gained, lost, same = (int(verdicts.get(each, 0)) for each in ("gained", "lost", "same"))
    st.markdown(
        f"**{gained} gained, {lost} lost**, {count(same, 'person', 'people')} unchanged, by rank-1. "
        f"{_sign_test(compared, probe, degradation, mode)}"
    )
    if gained or lost:
        chart(change_chart(some), "accuracy_change", alt="Who gained and who lost")
        if gained + lost > MOST:
            st.caption(f"The {MOST} people who changed most. Everyone is in the table.")
    with st.expander(f"Everyone ({len(some):,})", icon=":material/table_rows:"):
        st.dataframe(screen("gained_lost", some), hide_index=True, height=min(420, 38 + 35 * len(some)))
        table_download(people, f"{entry.run.name}-gained-lost", key="accuracy_gained_csv")


def _sign_test(compared: Evaluation, probe: str, degradation: str, mode: str) -> str:
    rows = compared.table("change")
    rows = rows[(rows["probe"] == probe) & (rows["degradation"] == degradation) & (rows["mode"] == mode)]
    if rows.empty or "p" not in rows or pd.isna(rows["p"].iloc[0]):
        return ""
    p = float(rows["p"].iloc[0])
    chance = "unlikely to be chance" if p < 0.05 else "may be chance"
    return f"Sign test: p = {p:.3g}, {chance}."


def _change(entry: EvaluationEntry, compared: Evaluation) -> None:
    st.subheader("Overall", anchor=False)
    table = compared.table("change")
    st.dataframe(compact("change", table), hide_index=True)
    st.caption(
        nonbreaking(
            "EER and TAR at FAR 0.1 % of all pairs, and with people alike where both runs have it; rank-1 among all "
            "people. Rates in percent, changes in points."
        )
    )
    table_download(table, f"{entry.run.name}-change", key="accuracy_change_csv")
