"""Recipes: what a training does, as validated, frozen data. A recipe is a sequence of stages. No torch here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, Strict, StrictBool, ValidationError
from pydantic.dataclasses import dataclass

from core.dataset.degrade import MOVING, CameraRanges
from core.errors import SettingsInvalid
from core.settings import CROP_PX
from core.system.validated import first_fault

Part = Literal["head", "encoder", "upscaler"]
Schedule = Literal["constant", "cosine", "one-cycle"]
HeadKind = Literal["arcface", "adaface", "prototypes"]
Through = Literal["upscaler", "bicubic"]
View = Literal["clean", "same"]
PixelLoss = Literal["l1", "charbonnier"]
Criterion = Literal["eer", "similarity", "psnr"]
Start = Literal["weights", "random"]
Role = Literal["encoder", "specialist"]

PARTS: tuple[Part, ...] = get_args(Part)
MIN_PX = 8
SMALL_PX = 48
"""Largest size that a specialist is trained on: a little beyond those that it serves."""

VALUES = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Configuration of validated values: unknown names are errors, floats are finite."""

Share = Annotated[float, Strict(), Field(ge=0, le=1)]
Weight = Annotated[float, Strict(), Field(ge=0, le=1e4)]
Epochs = Annotated[int, Strict(), Field(ge=0, le=100_000)]
SizePx = Annotated[int, Strict(), Field(ge=MIN_PX, le=CROP_PX)]


@dataclass(frozen=True, config=VALUES)
class Rates:
    """Peak learning rate of each part; ignored for parts that the stage doesn't train."""

    head: Weight = 1e-3
    encoder: Weight = 3e-4
    upscaler: Weight = 3e-4


@dataclass(frozen=True, config=VALUES)
class Losses:
    """Weight of each loss; 0 leaves it out. SR is the encoder's input, HR the 112 px crop.

    classification  the head's cross-entropy on the SR embedding
    alignment       1 - cos(SR embedding, HR embedding), both of the network in training (the notes' contrastive loss)
    teacher         1 - cos(SR embedding, frozen teacher's HR embedding): a target that can't collapse
    pixel           SR against HR, L1 or Charbonnier in [-1, 1]
    identity        1 - cos(teacher(SR), teacher(HR)): for an upscaler under a frozen encoder
    features        squared error to the teacher's feature maps after stem and stages, over their variance
    contrast        cross-entropy of finding the own teacher's HR embedding among those of other train images
                    (instance discrimination, see stage_losses.contrast_loss)
    """

    classification: Weight = 0.0
    alignment: Weight = 0.0
    teacher: Weight = 0.0
    pixel: Weight = 0.0
    identity: Weight = 0.0
    features: Weight = 0.0
    contrast: Weight = 0.0

    @property
    def needs_hr(self) -> bool:
        """Whether a loss compares with HR images or with what a network makes of them in each step."""
        return self.alignment > 0 or self.pixel > 0 or self.features > 0

    @property
    def wants_targets(self) -> bool:
        """Whether a loss compares with the teacher's embeddings of HR images."""
        return self.teacher > 0 or self.identity > 0 or self.contrast > 0

    @property
    def wants_teacher(self) -> bool:
        return self.wants_targets or self.features > 0


@dataclass(frozen=True, config=VALUES)
class Augment:
    """Strength of each augmentation; 0 leaves it out. Every draw follows from the seed.

    `flip`, `erase`, `occlude`, `mix`: probabilities (per image, image, image, batch). `occlude` draws a face mask or
    glasses onto small faces, and the target stays that of the bare face. `rotate_deg`, `scale`, `shift`, `brightness`,
    `contrast`, `saturation`, `colour`: the maximum in either direction; shift as a share of the side, brightness as a
    share of 255 that is added. Images read from VLR files are only flipped and coloured, since their HR wouldn't match
    otherwise.
    """

    flip: Share = 0.5
    rotate_deg: Annotated[float, Strict(), Field(ge=0, le=180)] = 0.0
    scale: Share = 0.0
    shift: Share = 0.0
    brightness: Share = 0.0
    contrast: Share = 0.0
    saturation: Share = 0.0
    colour: Share = 0.0
    erase: Share = 0.0
    occlude: Share = 0.0
    mix: Share = 0.0


@dataclass(frozen=True, config=VALUES)
class Head:
    """The classifier over train identities, discarded after training. Margins are in radians (arcface, prototypes)."""

    kind: HeadKind = "arcface"
    scale: Annotated[float, Strict(), Field(ge=1, le=512)] = 64.0
    margin: Annotated[float, Strict(), Field(ge=0, le=1.5)] = 0.5
    label_smoothing: Annotated[float, Strict(), Field(ge=0, le=0.9)] = 0.1


@dataclass(frozen=True, config=VALUES)
class Stage:
    """A number of epochs with their trained parts, losses, rates and data."""

    name: str
    title: str
    epochs: Epochs
    trains: tuple[Part, ...]
    losses: Losses
    rates: Rates = field(default_factory=Rates)
    schedule: Schedule = "cosine"
    warmup: Annotated[float, Strict(), Field(ge=0, le=0.9)] = 0.0
    """Share of the stage's steps over which the rate rises from a 25th (one-cycle: the rise of the cycle)."""
    floor: Share = 0.0
    """Final value of a decaying rate, as a share of its peak."""
    weight_decay: Annotated[float, Strict(), Field(ge=0, le=10)] = 5e-5
    decay_all: StrictBool = True
    """False: no decay for biases, norms and other vectors."""
    beta2: Annotated[float, Strict(), Field(ge=0.5, le=0.99999)] = 0.999
    patience: Epochs = 0
    """Epochs without a better criterion after which the stage ends; 0: never."""
    sizes_px: tuple[SizePx, ...] = ()
    """Sizes from which each batch draws one; 112 is HR itself; (): the VLR sizes of the data set."""
    files: Share = 0.0
    """Share of batches that use the data set's VLR files; the others are degraded on the fly."""
    camera: Share = 0.0
    """Share of on-the-fly VLR images made by the camera chain; the others are bicubic."""
    camera_ranges: CameraRanges = MOVING
    """What the camera chain's values are drawn from."""
    photographed: Share = 0.0
    """Share of on-the-fly VLR batches cut in one step from a small picture, as from a photograph."""
    through: Through = "upscaler"
    augment: Augment = field(default_factory=Augment)
    teacher_view: View = "clean"
    """"clean": the teacher's embedding of the unchanged HR, summed with its mirror image's, computed once. "same": of
    the changed HR, each time."""
    pixel_loss: PixelLoss = "l1"
    forced: StrictBool = False
    """Feed each stage of the student the teacher's output of the previous stage (with losses.features)."""
    cached_views: Annotated[int, Strict(), Field(ge=0, le=64)] = 0
    """With a frozen encoder and upscaler: fixed views of each image that are embedded once; 0: embed every step."""
    ema: Annotated[float, Strict(), Field(ge=0, le=0.999999)] = 0.0
    """Decay of the running mean of weights that is validated and saved; 0: the weights themselves."""
    clip: Annotated[float, Strict(), Field(ge=0, le=1e6)] = 0.0
    """Maximum norm of the gradient; 0: not clipped."""


@dataclass(frozen=True, config=VALUES)
class Recipe:
    """A training. `start` "random" initialises an encoder at random, with `layer_scale` in its blocks if set. `role`
    "specialist": the encoder becomes one for small faces in the teacher's space, and takes an upscaler's place.

    Raises SettingsInvalid for settings that can't be combined.
    """

    name: str
    title: str
    text: str
    stages: tuple[Stage, ...]
    batch_size: Annotated[int, Strict(), Field(ge=1, le=8192)] = 32
    head: Head = field(default_factory=Head)
    criterion: Criterion = "eer"
    start: Start = "weights"
    layer_scale: float = 0.0
    role: Role = "encoder"
    average: tuple[Annotated[float, Strict(), Field(gt=0, le=1)], ...] = ()
    """Shares of the trained encoder in averages with the weights that it started from; the run keeps the best (see
    average_with_start). 1: the trained encoder itself. (): nothing is averaged."""

    def __post_init__(self) -> None:
        if not self.stages:
            raise SettingsInvalid(f"The recipe '{self.name}' has no stage.", "Give it one.")
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise SettingsInvalid(f"Two stages are called {names}.", "Give each its own name.")
        for stage in self.stages:
            _check_combination(stage)
        if self.role == "specialist":
            _check_specialist(self)
        if self.average and (self.start == "random" or "encoder" not in self.trains):
            raise SettingsInvalid(
                f"The recipe '{self.name}' trains no encoder that started from other weights, so there is nothing to "
                "average.",
                "Leave average empty.",
            )

    @property
    def epochs(self) -> int:
        return sum(stage.epochs for stage in self.stages)

    @property
    def trains(self) -> tuple[Part, ...]:
        """Every part that some stage trains, in the order of PARTS."""
        return tuple(part for part in PARTS if any(part in stage.trains for stage in self.stages))

    @property
    def wants_head(self) -> bool:
        return any(stage.losses.classification > 0 for stage in self.stages)

    @property
    def wants_upscaler(self) -> bool:
        return any(stage.through == "upscaler" for stage in self.stages)

    @property
    def validated_camera(self) -> CameraRanges | None:
        """The camera whose images validation measures: that of the last stage that sees one, without motion (the
        published one unless the recipe was adapted); None where no stage does."""
        ranges = [stage.camera_ranges for stage in self.stages if stage.camera > 0]
        return replace(ranges[-1], motion_share=0.0) if ranges else None


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain values, the form of a run's config.json."""
    return {key: list(value) if key == "stages" else value for key, value in asdict(recipe).items()}


def recipe_from_dict(values: Mapping[str, Any]) -> Recipe:
    """Return the recipe of plain values. Raises SettingsInvalid, naming the setting, for what can't be trained."""
    try:
        return Recipe(**values)
    except ValidationError as error:
        stages = values.get("stages") or ()

        def name(found: re.Match[str]) -> str:
            stage = stages[int(found[1])]
            return str(stage.get("name", found[0])) if isinstance(stage, Mapping) else found[0]

        raise SettingsInvalid(re.sub(r"^stages\.(\d+)", name, first_fault(error)), "Correct it.") from error


def _check_combination(stage: Stage) -> None:
    """Refuse settings that are each valid but can't be combined."""
    losses = stage.losses
    faults = {
        "trains nothing": not stage.trains,
        "has no loss": not any(asdict(losses).values()),
        "trains the upscaler but goes through bicubic": "upscaler" in stage.trains and stage.through == "bicubic",
        "trains the head without losses.classification": "head" in stage.trains and not losses.classification,
        "has a pixel or identity loss and doesn't train the upscaler": (losses.pixel > 0 or losses.identity > 0)
        and "upscaler" not in stage.trains,
        "mixes images, which needs teacher_view=same and no classification": stage.augment.mix > 0
        and (stage.teacher_view != "same" or losses.classification > 0),
        "can't cache views while it trains the encoder or upscaler": stage.cached_views > 0
        and bool({"encoder", "upscaler"} & set(stage.trains)),
        "can force features only with losses.features": stage.forced and not losses.features,
        "matches features, which needs teacher_view=same": losses.features > 0 and stage.teacher_view != "same",
        "occludes images, which can't be mixed as well": stage.augment.occlude > 0 and stage.augment.mix > 0,
    }
    for fault, found in faults.items():
        if found:
            raise SettingsInvalid(f"The stage {stage.name} {fault}.", "Change one of these settings.")


def _check_specialist(recipe: Recipe) -> None:
    """Refuse what leaves a specialist outside its teacher's space, or trains faces that never reach it."""
    for stage in recipe.stages:
        faults = {
            "trains other parts than the encoder": stage.trains != ("encoder",),
            "goes through the upscaler, whose place a specialist takes": stage.through != "bicubic",
            "has no losses.teacher": not stage.losses.teacher,
            "trains large faces": any(size > SMALL_PX for size in stage.sizes_px),
        }
        for fault, found in faults.items():
            if found:
                raise SettingsInvalid(
                    f"The stage {stage.name} of a specialist {fault}.",
                    f"Train the encoder through bicubic, to a teacher, with sizes_px of at most {SMALL_PX}.",
                )
    if recipe.start != "weights":
        raise SettingsInvalid(
            "A specialist can't start at random.", "Start from its teacher's weights (start=weights)."
        )
