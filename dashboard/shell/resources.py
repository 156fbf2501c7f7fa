"""Resources that all visitors share: the gallery, the detector, and the pipeline for the weights in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.gallery.records import Space
from core.gallery.store import Gallery
from core.privacy.retention import purge
from core.recognition.attack_check import key_of_check
from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.faces.detect import Detector
    from core.models.encoders import WeightsFile
    from core.pipeline import Pipeline


def settings() -> Settings:
    """The settings of this installation. Raises SettingsInvalid."""
    return load_settings()


def gallery() -> Gallery:
    """The gallery, opened without torch. Once an hour, entries past their retention time are deleted.

    Raises GalleryUnreadable, GalleryNewer, GalleryLocked, GalleryBusy, StorageFailed.
    """
    here = settings()
    store = _gallery(str(here.gallery_path))
    _purged(str(here.gallery_path), here, store)
    return store


def pipeline() -> Pipeline:
    """The pipeline of the weights in use, the upscaler in use and the gallery. The first call takes seconds.

    Raises WeightsMissing when none are in use, UpscalerUnusable when the upscaler is gone or was changed, the loaders'
    other errors, DetectorMissing, LandmarksUnusable and GalleryError.
    """
    from core.models.encoders import active_weights
    from core.models.landmark_networks import active_landmarks
    from core.models.upscalers import active_upscaler

    here = settings()
    weights, upscaler = active_weights(here), active_upscaler(here)
    files = (str(weights.path), str(upscaler.path or upscaler.name))
    sha256s = (weights.sha256, upscaler.sha256, active_landmarks(here).sha256)
    return _pipeline(sha256s, files, str(here.gallery_path), key_of_check(here), use_tta=False)


def space_in_use(weights: WeightsFile) -> Space:
    """The templates that those weights can search (see core.models.active)."""
    from core.models import active

    return active.space_in_use(settings(), weights)


def detector() -> Detector:
    """The face detector alone, which opens without torch. Raises DetectorMissing, LandmarksUnusable."""
    from core.models.landmark_networks import active_landmarks

    return _detector(active_landmarks(settings()).sha256)


@st.cache_resource(max_entries=2, show_spinner=False)
def _detector(landmarks_sha256: str) -> Detector:
    from core.models.landmark_networks import detector_in_use

    return detector_in_use(settings())


@st.cache_data(max_entries=4, ttl=3600, show_spinner=False)
def _purged(path: str, _settings: Settings, _store: Gallery) -> int:
    try:
        return sum(one.count for one in purge(_settings, _store))
    except CoreError:  # pages that need the gallery show the error; tried again next time
        return 0


@st.cache_resource(max_entries=2, show_spinner=False, on_release=Gallery.close)
def _gallery(path: str) -> Gallery:
    return Gallery.open(path)


@st.cache_resource(max_entries=2, show_spinner="Loading EdgeFace", on_release=lambda p: p.gallery.store.close())
def _pipeline(
    sha256s: tuple[str, str, str], files: tuple[str, str], gallery_path: str, check: str, *, use_tta: bool
) -> Pipeline:
    """`files` are those of the encoder and the upscaler. Their `sha256s` and the landmark network's are part of the
    cache key, so that a replaced file is loaded again; so is `check`, the presentation attack detector."""
    from core.pipeline import PipelineConfig, build_pipeline

    weights, upscaler = files
    return build_pipeline(
        PipelineConfig(weights=weights, upscaler=upscaler, gallery_path=gallery_path, use_tta=use_tta)
    )
