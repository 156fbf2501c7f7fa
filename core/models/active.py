"""The encoder and the upscaler in use as a pair: whether they match, and models found in either registry.

Only taking a file into use imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import CoreError, SettingsInvalid, WeightsMissing
from core.faces.landmarks.network import LandmarksUnusable
from core.gallery.records import Space
from core.gallery.store import Gallery
from core.models.active_file import write_active
from core.models.encoders import WeightsFile, active_weights, find_weights, scan, use_weights
from core.models.figures import SHIPPED_DSR, measured
from core.models.header import BESIDE, is_landmark_network, is_upscaler, read_card
from core.models.landmark_networks import LandmarkFile, find_landmarks, use_landmarks
from core.models.landmark_networks import describe as describe_landmarks
from core.models.measured import Measured
from core.models.specialists import hashes_of
from core.models.upscalers import (
    BICUBIC_UPSCALER,
    UpscalerFile,
    active_upscaler,
    chosen_upscaler,
    default_upscaler,
    describe,
    find_upscaler,
    upscaler_for,
    use_upscaler,
)
from core.models.upscalers import scan as scan_upscalers
from core.settings import Settings
from core.sr.trial import UpscalerUnusable
from core.sr.upscale import BICUBIC

MEASURED_TOGETHER = frozenset(
    {
        ("577d69cd01e3b900d4d1b4061c4f55df35b58ee62aaa19a33f65150ccacbbe20", SHIPPED_DSR),  # the first starter
    }
)
"""Pairs of encoder and upscaler (SHA-256) that weren't trained together but measured at least as well as the
encoder with its own upscaler (docs/measurements.md, "The shipped pair")."""


@dataclass(frozen=True)
class ActiveModels:
    """The encoder weights and the upscaler in use, or the error that prevents it.

    `figures` are the accuracy of the weights, with the upscaler in use where that was measured. `paired` is the stored
    encoder that the upscaler was trained with, None where there is none or the pair in use is a known one.
    """

    encoder: WeightsFile | None = None
    encoder_problem: CoreError | None = None
    upscaler: UpscalerFile | None = None
    upscaler_problem: CoreError | None = None
    figures: Measured | None = None
    paired: WeightsFile | None = None

    @property
    def figures_pair(self) -> str:
        """A sentence where the figures were measured with another upscaler than the one in use; else ""."""
        if self.figures is None or self.upscaler is None or not self.figures.upscaler_name:
            return ""
        known = self.figures.upscaler
        if known in _hashes(self.upscaler) if known else self.figures.upscaler_name == self.upscaler.name:
            return ""
        return f"Measured with {self.figures.upscaler_name}; in use is {self.upscaler.name}."

    @property
    def mismatch(self) -> str:
        """A sentence where the encoder and the upscaler weren't trained together, unless the pair was measured to do no
        harm; else ""."""
        if self.encoder is None or self.upscaler is None or _is_known(self.encoder, self.upscaler):
            return ""
        trained_with = read_card(self.encoder.metadata).trained_with_upscaler
        harm = "Small faces may be recognised less well than measured."
        if trained_with:
            other = f"another super-resolution network (SHA-256 {trained_with[:10]}…)"
            what = BICUBIC if trained_with == BICUBIC else other
            return f"These weights were trained on faces enlarged by {what}; in use is {self.upscaler.name}. {harm}"
        if self.paired is None and not _trained_beside(self.upscaler):
            return ""
        other = "other weights" if self.paired is None else self.paired.name
        return f"{self.upscaler.name}, which enlarges small faces, was trained together with {other}. {harm}"


def active_models(settings: Settings) -> ActiveModels:
    """Return the models in use. Errors are part of the result, never raised."""
    encoder = upscaler = None
    encoder_problem = upscaler_problem = None
    try:
        encoder = active_weights(settings)
    except CoreError as error:
        encoder_problem = error
    try:
        upscaler = active_upscaler(settings)
    except CoreError as error:
        upscaler_problem = error
    figures = None if encoder is None else _figures(settings, encoder, upscaler)
    return ActiveModels(
        encoder, encoder_problem, upscaler, upscaler_problem, figures, _paired(settings, encoder, upscaler)
    )


def _figures(settings: Settings, encoder: WeightsFile, upscaler: UpscalerFile | None) -> Measured | None:
    """Those of the pair: an evaluation in a specialist's header is of the weights that it was trained beside, too."""
    if upscaler is not None and upscaler.specialist is not None and upscaler.specialist.is_of(encoder):
        own = read_card(upscaler.metadata).measured
        if own is not None and own.source == "evaluation":
            return own
    return measured(encoder, settings, "" if upscaler is None else upscaler.sha256)


def partners(settings: Settings, used: ActiveModels) -> list[WeightsFile | UpscalerFile]:
    """List the stored models that would complete a pair: the specialist that ships for the encoder, else the upscaler
    that the encoder was trained or measured with; and the encoder that the upscaler was trained with. [] where the
    models in use match."""
    if not used.mismatch or used.encoder is None or used.upscaler is None:
        return []
    stored = {sha256: file for file in scan_upscalers(settings) for sha256 in _hashes(file)}
    stored[BICUBIC] = BICUBIC_UPSCALER
    shipped = default_upscaler(settings, used.encoder)
    trained_with = read_card(used.encoder.metadata).trained_with_upscaler
    figures = measured(used.encoder, settings)
    own = "" if shipped.specialist is None else shipped.sha256
    wanted = [own, trained_with, figures.upscaler if figures is not None else "", "" if trained_with else BICUBIC]
    found = [stored[sha256] for sha256 in wanted if sha256 in stored][:1]
    return [*found, *([] if used.paired is None else [used.paired])]


def _is_known(encoder: WeightsFile, upscaler: UpscalerFile) -> bool:
    """Whether a pair was trained or measured together."""
    if upscaler.specialist is not None:
        return upscaler.specialist.shares_space(hashes_of(encoder))
    trained_with = read_card(encoder.metadata).trained_with_upscaler
    if trained_with:
        return trained_with in _hashes(upscaler) or (encoder.sha256, upscaler.sha256) in MEASURED_TOGETHER
    return upscaler.path is None or (encoder.official is not None and SHIPPED_DSR in _hashes(upscaler))


def _paired(settings: Settings, encoder: WeightsFile | None, upscaler: UpscalerFile | None) -> WeightsFile | None:
    if encoder is None or upscaler is None or _is_known(encoder, upscaler):
        return None
    names = _hashes(upscaler)
    beside = [file for file in scan(settings) if read_card(file.metadata).trained_with_upscaler in names]
    return next((file for file in beside if file.sha256 != encoder.sha256), None)


def _trained_beside(upscaler: UpscalerFile) -> bool:
    """Whether a DSR file's header names an encoder of the same run."""
    return upscaler.metadata.get("trained_with_encoder", "") == BESIDE


def _hashes(upscaler: UpscalerFile) -> frozenset[str]:
    """SHA-256 of a file and of the run's file that it was exported from."""
    return frozenset({upscaler.sha256, upscaler.metadata.get("exported_from", "")} - {""})


def space_in_use(settings: Settings, weights: WeightsFile) -> Space:
    """Return the template space of these weights with the upscaler in use, without flip and without loading a model.

    Where the upscaler in use is gone, was changed or is a specialist of other weights, it covers templates of full size
    only.
    """
    try:
        return space_beside(weights.name, weights.sha256, upscaler_for(settings, weights))
    except UpscalerUnusable:
        return Space(weights.name, weights.sha256, "", flip_tta=False)


def space_beside(encoder_name: str, weights_sha256: str, upscaler: UpscalerFile, *, flip_tta: bool = False) -> Space:
    """Return the template space of weights with that upscaler."""
    return Space(
        encoder_name,
        weights_sha256,
        upscaler.sha256,
        flip_tta,
        bicubic_px=upscaler.bicubic_px,
        any_upscaler=upscaler.specialist is not None,
    )


def space_to_examine(settings: Settings, gallery: Gallery) -> Space | None:
    """Return the space of the weights in use where the gallery has anybody in it, else the stored one with the most
    templates; None where the gallery is empty. No weights are needed to look at what is stored."""
    with suppress(CoreError):
        space = space_in_use(settings, active_weights(settings))
        if gallery.population(space).size:
            return space
    specialists = {file.sha256 for file in scan_upscalers(settings) if file.specialist is not None}
    stored = gallery.spaces(specialists)
    return stored[0][0] if stored else None


@dataclass(frozen=True)
class OtherSmallFaces:
    """Small-face templates that another upscaler than the one in use made: a sentence, and the next step. `upscaler` is
    the name of the stored file that made most of them, "" where none is stored. `searched`: a specialist is in use,
    which finds them as they are."""

    what: str
    next_step: str
    upscaler: str
    searched: bool


def other_small_faces(settings: Settings, made_by: Mapping[str, int], space: Space) -> OtherSmallFaces | None:
    """Describe templates counted by upscaler (`core.gallery.template_replacement.other_upscalers`) for the space in
    use; None without any. Never raises."""
    if not made_by:
        return None
    names = {BICUBIC: BICUBIC, **{sha256: file.name for file in scan_upscalers(settings) for sha256 in _hashes(file)}}
    known = [names[upscaler] for upscaler in made_by if upscaler in names]
    number = sum(made_by.values())
    one = number == 1
    words = "1 template of a small face" if one else f"{number:,} templates of small faces"
    through = f"made through {' and '.join(known) or 'another upscaler'}, not in use"
    them, stored = "it" if one else "them", "from stored pictures (edgeface-studio gallery reembed)"
    upscaler = known[0] if known else ""
    if space.any_upscaler:
        return OtherSmallFaces(
            f"{words} {'was' if one else 'were'} {through}. {'It stays' if one else 'They stay'} valid: "
            f"{names.get(space.upscaler, 'the specialist in use')} finds {them}.",
            f"Re-embed {them} {stored} to recognise more, above all on camera images.",
            upscaler,
            searched=True,
        )
    again = f"Use {upscaler} again (edgeface-studio weights use {upscaler}), or re-embed" if upscaler else "Re-embed"
    return OtherSmallFaces(
        f"{words} {'is' if one else 'are'}n't searched: {through}.",
        f"{again} {them} {stored}.",
        upscaler,
        searched=False,
    )


AnyModel = WeightsFile | UpscalerFile | LandmarkFile


def find_model(settings: Settings, file_or_name: str | Path) -> AnyModel:
    """Return the encoder weights, the upscaler or the landmark network with that path or name, told apart by
    content.

    Raises WeightsMissing, UpscalerUnusable, LandmarksUnusable, StorageFailed.
    """
    if not isinstance(file_or_name, Path) and file_or_name.strip() == BICUBIC:
        return find_upscaler(settings, BICUBIC)
    try:
        file = find_weights(settings, file_or_name)
    except WeightsMissing:
        for find in (find_upscaler, find_landmarks):  # a stored one by its name
            with suppress(UpscalerUnusable, LandmarksUnusable, SettingsInvalid):
                return find(settings, file_or_name)
        raise
    if is_landmark_network(file.metadata):
        return describe_landmarks(file.path)
    return describe(file.path) if is_upscaler(file.metadata) else file


def use_model(settings: Settings, file_or_name: str | Path) -> AnyModel:
    """Take weights, an upscaler or a landmark network into use, depending on the file's content.

    Weights of another space release the specialist in use, see `release_specialist`.

    Raises what `find_model` and the three kinds' own functions raise; nothing changes then.
    """
    found = find_model(settings, file_or_name)
    if isinstance(found, WeightsFile):
        used = use_weights(settings, found.path)
        release_specialist(settings)
        return used
    if isinstance(found, LandmarkFile):
        return use_landmarks(settings, found.path)
    return use_upscaler(settings, found.path or BICUBIC)


def release_specialist(settings: Settings) -> UpscalerFile | None:
    """Take the chosen specialist out of use where the weights in use aren't its own; small faces pass the default
    upscaler then. Return the specialist, None where none was released. Raises NotAllowed, StorageFailed."""
    try:
        chosen = chosen_upscaler(settings)
        if chosen is None or chosen.specialist is None:
            return None
        if chosen.specialist.shares_space(hashes_of(active_weights(settings))):
            return None
    except CoreError:
        return None
    write_active(settings, upscaler=None)
    return chosen
