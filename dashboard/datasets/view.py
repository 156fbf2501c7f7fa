"""The Data sets page: one data set with its check and its content, and the ways to create another."""

from __future__ import annotations

import streamlit as st

from core.dataset.check_cache import stored_verdict
from core.dataset.layout import INFO_NAME
from core.dataset.library import Listed, datasets_root, list_datasets, remove_dataset
from core.dataset.manifest import Dataset
from core.dataset.manifest import count as count_images
from core.dataset.run_config import CheckConfig
from core.system.text import count as amount
from dashboard.datasets.charts import MOST_BARS, amounts_figure, people_figure, split_figure
from dashboard.datasets.check import verdict_panel
from dashboard.datasets.create import make_panel, start_demo
from dashboard.datasets.data import MODE_WORDS, choices, facts, pair_table, rejected, vlr_sizes
from dashboard.datasets.faces import degrade_panel, faces_panel, rejected_panel
from dashboard.datasets.runs import choose, earlier_panel, just_ended, name_of, unfinished, work_panel
from dashboard.datasets.split_form import build_form
from dashboard.runs.datasets import check_running, start_dataset_run
from dashboard.shell.datasets import SYNTHETIC, open_dataset
from dashboard.shell.error_display import feedback, show_error
from dashboard.shell.resources import settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.components import empty_state, head, name_line
from dashboard.ui.markdown import markup, plain, shorten
from dashboard.ui.pictures import changed_ns

SECTIONS = {
    "counts": ("Counts", ":material/bar_chart:"),
    "faces": ("Faces", ":material/grid_view:"),
    "degrade": ("Degradation", ":material/blur_on:"),
    "rejected": ("Rejected", ":material/block:"),
    "build": ("Build a split", ":material/call_split:"),
}


def view() -> None:
    """Show the Data sets page."""
    head(
        "Data sets", "Pairs of large and small faces made from photographs, split without leaks and checked before use."
    )
    _report_ended()
    if st.session_state.pop("dataset_started", False):  # the progress bar is out of sight of the button
        st.toast("Started. Progress is shown at the top of this page.", icon=":material/arrow_upward:")
    runs = unfinished()
    work_panel(runs)
    sets = list_datasets(datasets_root(settings()))
    if sets:
        _chosen(sets)
        if not allowed(Permission.DATA):
            not_yours("Creating, checking and removing data sets")
            earlier_panel(runs)
            return
        box = st.expander("Create a data set", icon=":material/add:", key="dataset_make", on_change="rerun")
        if box.open:
            with box:
                make_panel()
    else:
        _empty(busy=bool(runs))
    earlier_panel(runs)


def _report_ended() -> None:
    said = st.session_state.pop("dataset_said", "")
    ended = just_ended()
    if said or ended is None:
        if said:
            st.success(plain(said), icon=":material/check_circle:")
        return
    st.success(plain(ended.words), icon=":material/check_circle:")
    name, shown = name_of(ended.root), st.query_params.get("set", "")
    if not shown:
        choose(ended.root)
    elif name and name != shown:
        st.button(
            f"Show {shorten(name, 40)}",
            icon=":material/visibility:",
            type="tertiary",
            key="dataset_show_ended",
            on_click=choose,
            args=(ended.root,),
        )


def _empty(*, busy: bool) -> None:
    if not allowed(Permission.DATA):
        empty_state("dataset", "No data set yet", "Creating data sets needs the role operator.")
        return
    if not busy:
        text = (
            "A data set contains every face large and small, as needed for training and evaluation. Start with "
            "synthetic people: they take under a minute and need no download and no photographs."
        )
        with empty_state("dataset", "No data set yet", text):
            if st.button("Create the demo", type="primary", icon=":material/draw:", key="dataset_first_demo"):
                with feedback() as attempt:
                    start_demo()
                if attempt.ok:
                    st.rerun()
    st.subheader("Use your own photographs", anchor=False)
    make_panel()


def _chosen(sets: list[Listed]) -> None:
    by_name = {each.name: each for each in sets}
    wanted, section = st.session_state.pop("dataset_next", None), st.session_state.pop("dataset_next_section", None)
    if section is not None:
        st.session_state["dataset_section"] = section
    names, index = list(by_name), 0
    if wanted in by_name:
        st.session_state["dataset_chosen"] = wanted
    else:
        here = (
            st.session_state.get("dataset_chosen"),
            st.query_params.get("set"),
            st.session_state.get("dataset_last"),
        )
        # The browser may draw the box in a later run than the one that chose: the default itself names the selection.
        index = names.index(next((each for each in here if each in by_name), max(sets, key=_changed).name))
        if here[0] not in by_name:
            st.session_state.pop("dataset_chosen", None)
    name = st.selectbox("Data set", names, index, key="dataset_chosen", format_func=lambda each: _label(by_name[each]))
    if st.query_params.get("set") != name:
        st.query_params["set"] = name  # for a reload
    st.session_state["dataset_last"] = name  # for the next visit to the page
    listed = by_name[name]
    if st.session_state.get("dataset_removing") == name:
        _confirm_remove(listed)
    if listed.problem is not None:
        show_error(listed.problem)
        _remove_button(name)
        return
    with feedback() as attempt:
        dataset = open_dataset(listed.root)
    if not attempt.ok:
        _remove_button(name)
        return
    _facts(dataset)
    with feedback():
        _verdict(dataset)
    with feedback():
        _sections(dataset, name)
    _remove_button(name)


def _changed(listed: Listed) -> int:
    """When the data set was made or last changed, in ns; 0 where it was removed just now."""
    return changed_ns(listed.root / INFO_NAME)


def _label(listed: Listed) -> str:
    info = listed.info
    if info is None:
        return f"{shorten(listed.name, 50)} (can't be read)"
    synthetic = ", synthetic" if info.synthetic else ""
    return f"{shorten(listed.name, 50)} ({info.mode}{synthetic})"


def _facts(dataset: Dataset) -> None:
    info, counts = dataset.info, dataset.info.counts
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(MODE_WORDS[info.mode], icon=":material/call_split:", color="gray")
        if info.synthetic:
            st.badge(SYNTHETIC, icon=":material/draw:", color="orange")
    sizes = ", ".join(str(size) for size in vlr_sizes(dataset)) or "none"
    cells = [
        ("People", f"{counts['identities']:,}"),
        ("HR images", f"{counts['hr']:,}"),
        ("Pairs with VLR", f"{counts['pairs']:,}"),
        ("VLR sizes (px)", sizes),
    ]
    html = "".join(
        f"<div><span class='ef-quiet'>{a}</span><div class='ef-name'>{markup(b)}</div></div>" for a, b in cells
    )
    st.html(f"<div class='ef-status' style='grid-template-columns:repeat(auto-fit,minmax(8rem,1fr))'>{html}</div>")


def _verdict(dataset: Dataset) -> None:
    kept = stored_verdict(settings(), dataset)
    busy = check_running(dataset.root)
    checked = ""
    if kept is not None:
        checked = verdict_panel(dataset, kept)
    elif busy:
        st.info("The check is running, see above.", icon=":material/policy:")
    else:
        st.warning(
            "**Not checked yet.** Check it before you rely on figures measured on it.",
            icon=":material/unknown_document:",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        if checked:
            st.caption(checked, width="content")
        first = kept is None
        label = "Check the data set" if first else "Check again"
        asked = (
            not busy
            and allowed(Permission.DATA)
            and st.button(label, type="primary" if first else "tertiary", icon=":material/policy:", key="dataset_check")
        )
    if asked:
        with feedback() as attempt:
            start_dataset_run(CheckConfig(root=dataset.root))
        if attempt.ok:
            st.rerun()


def _sections(dataset: Dataset, name: str) -> None:
    rejects = rejected(dataset.root)
    offered = [each for each in SECTIONS if each != "build" or allowed(Permission.DATA)]
    names = [each for each in offered if each != "rejected" or dataset.info.made_by == "ingest" or len(rejects)]

    def label(each: str) -> str:
        title, icon = SECTIONS[each]
        return f"{icon} {title}{f' ({len(rejects):,})' if each == 'rejected' else ''}"

    st.session_state.setdefault("dataset_section", "counts")
    section = st.segmented_control(
        "Show", names, required=True, key="dataset_section", format_func=label, label_visibility="collapsed"
    )
    if section == "faces":
        faces_panel(dataset)
    elif section == "degrade":
        degrade_panel(dataset)
    elif section == "rejected":
        if rejects.empty:
            st.success("No photographs were rejected.", icon=":material/check_circle:")
        else:
            rejected_panel(rejects)
    elif section == "build":
        table = pair_table(dataset)
        build_form(dataset.root, choices(table), name.replace("/", "-"), key="chosen")
    else:
        _counts(dataset)


def _counts(dataset: Dataset) -> None:
    table = pair_table(dataset)
    synthetic = f" {SYNTHETIC}." if dataset.info.synthetic else ""
    st.markdown("**Images and people of each split**")
    st.plotly_chart(
        split_figure(count_images(dataset.frame)), key="dataset_chart_splits", config={"displayModeBar": False}
    )
    people = int(table["identity"].nunique())
    if people > MOST_BARS:
        st.markdown("**Images per person**")
        st.plotly_chart(amounts_figure(table), key="dataset_chart_amounts", config={"displayModeBar": False})
    title = "Images of each person" if people <= MOST_BARS else f"The {MOST_BARS} people with the most images"
    st.markdown(f"**{title}**")
    st.plotly_chart(people_figure(table), key="dataset_chart_people", config={"displayModeBar": False})
    st.caption(f"HR images. Each has VLR versions. {facts(dataset.info).capitalize()}.{synthetic}")


def _remove_button(name: str) -> None:
    if allowed(Permission.DATA) and st.button(
        "Remove this data set", icon=":material/delete:", type="tertiary", key="dataset_remove"
    ):
        st.session_state["dataset_removing"] = name
        st.rerun()


def _keep() -> None:
    st.session_state.pop("dataset_removing", None)


@st.dialog("Remove the data set?", icon=":material/delete_forever:", on_dismiss=_keep)
def _confirm_remove(listed: Listed) -> None:
    counts = listed.info.counts if listed.info is not None else {}
    images = counts.get("hr", 0) + counts.get("vlr", 0)
    name_line(
        listed.name,
        f"{amount(images, 'image')} of {amount(counts.get('identities', 0), 'person', 'people')}" if counts else "",
    )
    st.markdown(
        "This deletes its folder, check results and cached images. The source photographs, and other data sets that "
        "share its files, are kept. This can't be undone."
    )
    with st.container(horizontal=True):
        if st.button(
            "Remove the data set", type="primary", icon=":material/delete_forever:", key="dataset_remove_sure"
        ):
            with feedback() as attempt:
                remove_dataset(settings(), listed.name)
            if attempt.ok:
                _keep()
                st.session_state["dataset_said"] = f"{listed.name} was removed."
                st.rerun()
        if st.button("Keep", key="dataset_remove_keep"):
            _keep()
            st.rerun()
