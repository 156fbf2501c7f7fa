"""The offer to re-embed people whose templates were made with other weights, and the progress of that run."""

from __future__ import annotations

import streamlit as st

from core.enrolment.reembed import KIND, job_config
from core.errors import StorageFailed
from core.gallery.records import Space
from core.gallery.store import Gallery, Revision
from core.gallery.template_replacement import ReplacementPlan, other_upscalers, plan_replacement
from core.jobs.errors import RunNotFound
from core.jobs.launch import launch
from core.jobs.reader import Snapshot
from core.jobs.run_dir import Run, list_runs, runs_root
from core.models.active import OtherSmallFaces, other_small_faces
from core.system.text import count
from dashboard.runs.card import RunCard, show_run_card
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.readiness import Readiness
from dashboard.shell.resources import gallery, settings, space_in_use
from dashboard.shell.session import Permission, allowed
from dashboard.ui.components import show_message
from dashboard.ui.markdown import plain, shorten

_NAMES_CARD = 8
_SAID = "reembed_said"


def reembed_offer(ready: Readiness, *, key: str) -> bool:
    """Offer a re-embedding, or show its run. Returns whether either is shown: neither is where all templates belong to
    the weights in use. Where all are found as they are and it would only make them better, it is offered on the Gallery
    page alone. `key` is the prefix of widget keys."""
    show_message(_SAID)
    if not allowed(Permission.ENROL) or not ready.can_recognise or ready.weights is None or not ready.people:
        return False
    run = _unfinished(ready.weights.sha256)
    if run is not None:
        show_run_card(run, _CARD)
        return True
    space = space_in_use(ready.weights)
    plan = _plan(gallery(), space)
    others = other_small_faces(settings(), other_upscalers(gallery(), space), space)
    offered = plan.photographs > (0 if key == "gallery" else plan.searched)
    if offered:
        _offer(plan, others, key, primary=key == "home" and ready.findable == 0)
    elif others is not None and not others.searched:
        st.info(f"{_why(others)} No pictures of them are stored, so they can't be re-embedded.", icon=":material/info:")
    if plan.enrol_again:
        _enrol_again(plan)
    return offered


def _plan(store: Gallery, space: Space) -> ReplacementPlan:
    return _planned(str(store.path), store.revision, space.upscaler, space, store)


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs={Space: repr})
def _planned(path: str, version: Revision, upscaler: str, space: Space, _store: Gallery) -> ReplacementPlan:
    return plan_replacement(_store, space)


def _offer(plan: ReplacementPlan, others: OtherSmallFaces | None, key: str, *, primary: bool) -> None:
    with st.container(border=True, key=f"{key}_reembed"):
        how = "other weights" if others is None else "other weights, or small faces through another upscaler"
        better = plan.photographs == plan.searched
        if better:
            how = "small faces through another upscaler"
        st.markdown(f"#### :material/sync: {count(plan.people, 'person', 'people')} enrolled with {how}")
        st.markdown(
            f"{_why(others)} Re-embed them from {count(plan.photographs, 'stored picture')}; no new photographs are "
            "needed."
        )
        keep = st.checkbox(
            "Keep the earlier templates",
            key=f"{key}_reembed_keep",
            help="Needed to switch back to the earlier weights or upscaler. The earlier templates are removed only "
            "after all new ones are stored.",
        )
        if st.button(
            "Re-embed them",
            type="primary" if primary else "secondary",
            icon=":material/sync:",
            key=f"{key}_reembed_start",
        ):
            with feedback() as attempt:
                here = settings()
                launch(here, KIND, job_config(here, keep_old=keep), slug="gallery")
            if attempt.ok:
                st.rerun()
        why = "What another upscaler changes" if better else "Why templates of other weights can't be searched"
        link("help", why, icon=":material/help:", topic="other-weights")


def _why(others: OtherSmallFaces | None) -> str:
    if others is None:
        return "Their templates can't be searched with the weights in use."
    if others.searched:
        return f"{plain(others.what)} Re-embedded, more of them are recognised, above all on camera images."
    again = f" To search them as they are, use {plain(others.upscaler)} again on Home." if others.upscaler else ""
    return f"{plain(others.what)}{again}"


def _enrol_again(plan: ReplacementPlan) -> None:
    names = [plain(shorten(person.name)) for person in plan.enrol_again[:_NAMES_CARD]]
    more = len(plan.enrol_again) - len(names)
    listed = f"{', '.join(names)}{f' and {more} more' if more else ''}"
    st.warning(
        f"**Enrol again:** {listed}. No pictures of them are stored, so they can't be re-embedded. Their templates are "
        "kept.",
        icon=":material/person_alert:",
    )


def _unfinished(weights_sha256: str) -> Run | None:
    """The last run for these weights, unless it is done."""
    for run in list_runs(runs_root(settings()), KIND):
        try:
            if run.config.get("weights_sha256") == weights_sha256:
                return None if run.state().status == "done" else run
        except (RunNotFound, StorageFailed):
            continue  # removed since it was listed, or damaged
    return None


def _say_end(snapshot: Snapshot) -> None:
    if snapshot.state.status == "done":
        st.session_state[_SAID] = str((snapshot.run.report or {}).get("text", ""))


_CARD = RunCard(
    "Re-embedding for the weights in use",
    unit="photographs",
    steps={"embed": "Embedding"},
    on_end=_say_end,
    removal="This deletes the record of the run. The gallery isn't changed.",
)
