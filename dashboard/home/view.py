"""The Home page: what is ready, the next step, and a short first tour."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.dataset.library import any_dataset, datasets_root
from core.models.active import active_models
from core.models.encoders import scan
from core.models.files import is_shipped
from core.system.text import count
from dashboard.home.weights_card import other_weights, starter_offer, weights_card
from dashboard.home.weights_setup import weights_panel
from dashboard.runs.reembed import reembed_offer
from dashboard.shell.error_display import show_error
from dashboard.shell.navigation import go, link
from dashboard.shell.readiness import Readiness, covers, readiness
from dashboard.shell.resources import gallery, settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.shell.weights_badge import badge_of
from dashboard.ui.components import head, show_message
from dashboard.ui.markdown import markup, plain
from dashboard.ui.pictures import Picture, faces_html


@dataclass(frozen=True)
class Step:
    """The next step: a sentence, and the page for it ("" where Home itself does it)."""

    title: str
    text: str
    page: str = ""
    button: str = ""


_FACES_SHOWN = 9


def next_step(ready: Readiness) -> Step:
    """The next step for what is ready."""
    if ready.weights is None:
        return Step("Get the weights", "Download them below. Nothing else works without them.")
    if ready.people == 0:
        return Step("Enrol the first person", "Use 3 to 7 photographs of one person.", "enroll", "Enrol a person")
    if ready.findable == 0:
        return Step(
            "Enrol with these weights",
            "The people in the gallery were enrolled with other weights, and can't be recognised with those in use.",
            "enroll",
            "Enrol a person",
        )
    return Step(
        "Identify a person",
        "Upload a photograph and find out who is in it, even where a face is only 16 px wide.",
        "identify",
        "Identify a photograph",
    )


def view() -> None:
    """Home."""
    head("EdgeFace Studio", "Recognise faces of 16 to 32 pixels: enrol people once, then find them in any photograph.")
    show_message("home_said")
    ready = readiness()
    _status(ready)
    for problem in (ready.upscaler_problem, ready.detector_problem, ready.gallery_problem):
        if problem is not None:
            show_error(problem)
    if ready.people:
        _some_faces()
    offered = reembed_offer(ready, key="home")
    if not (offered and ready.findable == 0):  # then the offer is the next step
        _next(next_step(ready))
    if ready.weights is not None:
        weights_card(active_models(settings()))
        if ready.weights.origin == "starter":
            starter_offer()
    if ready.weights is None:
        if ready.weights_problem is not None and _chosen_before():
            show_error(ready.weights_problem)
        weights_panel(primary=True)
    _tour(ready)
    if ready.weights is not None and ready.weights.origin != "starter" and allowed(Permission.WEIGHTS):
        other_weights(ready.weights)


def _status(ready: Readiness) -> None:
    weights = ready.weights
    cells = [
        (
            "Weights",
            weights is not None,
            (weights.official.name if weights.official else weights.name) if weights else "none yet",
            badge_of(weights).detail if weights else "needed first",
        ),
        (
            "Face detector",
            ready.detector_problem is None,
            "YuNet",
            "missing" if ready.detector_problem else "also finds small faces",
        ),
        (
            "Gallery",
            ready.people > 0,
            count(ready.people, "person", "people") if ready.people else "empty",
            count(ready.photographs, "photograph") if ready.people else "nobody enrolled yet",
        ),
    ]
    st.html(f"<div class='ef-status'>{''.join(_cell(*cell) for cell in cells)}</div>")
    others = ready.people - ready.findable
    if ready.weights is not None and others and ready.findable:
        st.caption(f"{count(others, 'person', 'people')} enrolled with other weights can't be recognised.")


def _chosen_before() -> bool:
    """Whether weights were in use before, or are stored here."""
    here = settings()
    return here.active_path.exists() or bool(scan(here))


def _some_faces() -> None:
    """A few enrolled faces."""
    shown = list(covers(gallery()).values())[:_FACES_SHOWN]
    if shown:
        st.html(faces_html([Picture(address, alt="Enrolled person") for address in shown], 64))


def _cell(title: str, good: bool, what: str, detail: str) -> str:
    mark = "<b class='ef-good'>ready</b>" if good else "<b class='ef-todo'>to do</b>"
    return (
        f"<div><div><span class='ef-quiet'>{markup(title)}</span>{mark}</div><div class='ef-name'>{markup(what)}</div>"
        f"<div class='ef-quiet'>{markup(detail)}</div></div>"
    )


def _next(step: Step) -> None:
    st.subheader(f"Next: {step.title[0].lower()}{step.title[1:]}", anchor=False)
    st.markdown(step.text)
    if step.page == "enroll" and not allowed(Permission.ENROL):
        not_yours("Enrolling people")
        return
    if step.page and st.button(step.button, type="primary", icon=":material/arrow_forward:", key="home_next"):
        go(step.page)


_TOUR = (
    ("Enrol a person", "Upload 3 to 7 photographs of one person, check the faces found in them, and save.", "enroll"),
    (
        "Identify a photograph",
        "Upload another photograph of the person, reduce the face to 16 px, and see whether it is still recognised.",
        "identify",
    ),
    ("Manage the gallery", "Rename or delete people, or move the gallery to another machine.", "gallery"),
    (
        "Make a data set",
        "For training and evaluation: generate synthetic faces in one click, or use your own photographs.",
        "dataset",
    ),
)


def _weights_step(ready: Readiness) -> tuple[str, str, str]:
    """The tour's first step: a download, unless the weights in use came with the program or are here already."""
    if ready.weights is None:
        return ("Get the weights", "Download them once, here on Home.", "home")
    if is_shipped(settings(), ready.weights):
        return ("Get the weights", "They come with the program: there is nothing to download.", "home")
    return ("Get the weights", f"{plain(ready.weights.name)} is in use.", "home")


def _tour(ready: Readiness) -> None:
    identified = bool(st.session_state.get("identify_done"))
    has_data = any_dataset(datasets_root(settings()))
    done = (ready.weights is not None, ready.people > 0, identified, False, has_data)
    steps = (_weights_step(ready), *_TOUR)
    with st.expander("First tour: five minutes", icon=":material/map:", expanded=not all(done[:3])):
        for number, ((title, text, page), is_done) in enumerate(zip(steps, done, strict=True), start=1):
            label = f"{number}. {title}{' (done)' if is_done else ''}"
            icon = ":material/check_circle:" if is_done else ":material/radio_button_unchecked:"
            with st.container(gap=None, key=f"home_tour_{number}"):
                link(page, f"**{label}**", icon=icon)
                st.caption(text)
