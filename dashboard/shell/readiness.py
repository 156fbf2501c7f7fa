"""What recognition needs and whether it is there: weights, upscaler, detector, gallery; and messages about gaps."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.errors import CoreError
from core.gallery.store import Gallery, Revision
from core.models.active import active_models
from core.models.encoders import WeightsFile
from core.models.upscalers import UpscalerFile
from core.system.text import count
from dashboard.shell.error_display import show_error
from dashboard.shell.navigation import link, step_button
from dashboard.shell.resources import gallery, settings, space_in_use
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import plain
from dashboard.ui.pictures import image_address


@dataclass(frozen=True)
class Readiness:
    """What is ready and what is missing. `people` counts all identities, `findable` those with templates of the
    weights in use."""

    weights: WeightsFile | None = None
    weights_problem: CoreError | None = None
    upscaler: UpscalerFile | None = None
    upscaler_problem: CoreError | None = None
    detector_problem: CoreError | None = None
    gallery_problem: CoreError | None = None
    people: int = 0
    findable: int = 0
    photographs: int = 0

    @property
    def can_recognise(self) -> bool:
        """Whether enrolling and identifying have all that they need."""
        problems = (self.upscaler_problem, self.detector_problem, self.gallery_problem)
        return self.weights is not None and all(problem is None for problem in problems)


def readiness() -> Readiness:
    """Check weights, detector and gallery without loading them. Raises no CoreError."""
    used = active_models(settings())
    weights = used.encoder
    people, findable, photographs, gallery_problem = 0, 0, 0, None
    try:
        people, findable, photographs = gallery().counts(space_in_use(weights) if weights else None)
    except CoreError as error:
        gallery_problem = error
    return Readiness(
        weights=weights,
        weights_problem=used.encoder_problem,
        upscaler=used.upscaler,
        upscaler_problem=used.upscaler_problem,
        detector_problem=_detector_problem(),
        gallery_problem=gallery_problem,
        people=people,
        findable=findable,
        photographs=photographs,
    )


def weights_in_use() -> tuple[WeightsFile | None, CoreError | None]:
    """The weights in use, or why there are none."""
    used = active_models(settings())
    return used.encoder, used.encoder_problem


def _detector_problem() -> CoreError | None:
    from core.faces.yunet_model import detector_model_path

    try:
        detector_model_path()
    except CoreError as error:
        return error
    return None


def covers(store: Gallery) -> dict[int, str]:
    """One face of each identity with a stored picture, as an address for <img>."""
    return _covers(str(store.path), store.revision, store)


@st.cache_data(max_entries=4, show_spinner=False)
def _covers(path: str, version: Revision, _store: Gallery) -> dict[int, str]:
    return {number: image_address(crop) for number, crop in _store.covers().items()}


def forget_faces() -> None:
    """Clear the cached faces, after an erasure or when the gallery was replaced."""
    _covers.clear()


def cannot_recognise(ready: Readiness) -> bool:
    """Return True, and show what is missing and the next step, where recognition isn't possible."""
    if ready.can_recognise:
        return False
    if ready.weights is None:
        problem = ready.weights_problem
        box = empty_state(
            "download",
            "EdgeFace needs weights first",
            f"{plain(problem.what) if problem else ''} Download the official weights on Home, or use your own file "
            f"there.",
        )
        with box:
            step_button("home", "Get the weights on Home")
            link("help", "Why weights are needed", icon=":material/help:", topic="weights")
        return True
    for found in (ready.upscaler_problem, ready.detector_problem, ready.gallery_problem):
        if found is not None:
            show_error(found)
    return True


def say_who_is_not_found(ready: Readiness) -> None:
    """Show which people can't be recognised with the weights in use, and the next step; nothing where all can."""
    others = ready.people - ready.findable
    if not ready.people:
        st.info("Nobody is enrolled yet, so every face will be unknown.", icon=":material/person_add:")
        link("enroll", "Enrol a person first", icon=":material/arrow_forward:")
    elif not ready.findable:
        who = f"{count(others, 'person', 'people')} {'is' if others == 1 else 'are'} enrolled"
        st.warning(
            f"**{who}, but with other weights than those in use.** Every face will be unknown until their stored "
            "pictures are re-embedded.",
            icon=":material/sync_problem:",
        )
        link("gallery", "Re-embed them", icon=":material/sync:")
    elif others:
        who = count(others, "person", "people")
        st.caption(f"{who} enrolled with other weights can't be recognised until they are re-embedded.")
        link("gallery", "Re-embed them", icon=":material/sync:")
