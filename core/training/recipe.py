"""What a training does, as frozen data: a recipe is a row of stages. No torch here: pages and commands read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args, get_type_hints

from core.errors import SettingsInvalid
from core.settings import CROP_PX

Part = Literal["head", "encoder", "upscaler"]
Schedule = Literal["constant", "cosine", "one-cycle"]
HeadKind = Literal["arcface", "adaface", "prototypes"]
Through = Literal["upscaler", "bicubic"]
View = Literal["clean", "same"]
PixelLoss = Literal["l1", "charbonnier"]
Criterion = Literal["eer", "similarity", "psnr"]
Start = Literal["weights", "random"]

PARTS: tuple[Part, ...] = get_args(Part)
SMALLEST_PX = 8


@dataclass(frozen=True)
class Rates:
    """Peak learning rate of each part; of no use for a part that the stage doesn't train."""

    head: float = 1e-3
    encoder: float = 3e-4
    upscaler: float = 3e-4


@dataclass(frozen=True)
class Losses:
    """How much each loss counts; 0 leaves it out. SR is what the encoder is given, HR the 112 px crop.

    classification  the head's cross-entropy on the SR embedding
    alignment       1 - cos(SR embedding, HR embedding), both of the network in training (the notes' contrastive loss)
    teacher         1 - cos(SR embedding, frozen teacher's HR embedding): a target that can't collapse
    pixel           SR against HR, L1 or Charbonnier in [-1, 1]
    identity        1 - cos(teacher(SR), teacher(HR)): for an upscaler under a frozen encoder
    features        squared error to the teacher's feature maps after stem and stages, over their variance
    """

    classification: float = 0.0
    alignment: float = 0.0
    teacher: float = 0.0
    pixel: float = 0.0
    identity: float = 0.0
    features: float = 0.0


@dataclass(frozen=True)
class Augment:
    """How far images are changed; 0 leaves a change out. Every draw follows from the seed.

    `flip`, `erase`, `mix`: chances (of an image, an image, a batch). `rotate_deg`, `scale`, `shift`, `brightness`,
    `contrast`, `saturation`, `colour`: the most, to both sides; shift as a share of the side, brightness as a
    share of 255 that is added.
    An image that comes as a VLR file is only flipped and coloured: its HR would no longer fit it otherwise.
    """

    flip: float = 0.5
    rotate_deg: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    colour: float = 0.0
    erase: float = 0.0
    mix: float = 0.0


@dataclass(frozen=True)
class Head:
    """The classifier over train identities, thrown away after training. Margins: radians (arcface, prototypes)."""

    kind: HeadKind = "arcface"
    scale: float = 64.0
    margin: float = 0.5
    label_smoothing: float = 0.1


@dataclass(frozen=True)
class Stage:
    """One row of epochs with everything that holds for them."""

    name: str
    title: str
    epochs: int
    trains: tuple[Part, ...]
    losses: Losses
    rates: Rates = field(default_factory=Rates)
    schedule: Schedule = "cosine"
    warmup: float = 0.0
    """Share of the stage's steps over which the rate rises from a 25th (one-cycle: the rise of the cycle)."""
    floor: float = 0.0
    """What a falling rate ends at, as a share of its peak."""
    weight_decay: float = 5e-5
    decay_all: bool = True
    """False spares biases, norms and other vectors the decay."""
    beta2: float = 0.999
    patience: int = 0
    """Epochs without a better criterion after which the stage ends; 0: never."""
    sizes_px: tuple[int, ...] = ()
    """Sizes of which one is drawn for each batch, 112 being HR itself; (): the VLR sizes that the data set holds."""
    files: float = 0.0
    """Share of batches that take the data set's own VLR files; the others are degraded on the fly."""
    camera: float = 0.0
    """Share of on-the-fly VLR images made by the camera chain; the others are bicubic."""
    photographed: float = 0.0
    """Share of on-the-fly VLR batches cut in one step from a small picture, as from a photograph, all by bicubic."""
    through: Through = "upscaler"
    augment: Augment = field(default_factory=Augment)
    teacher_view: View = "clean"
    """"clean": the teacher's embedding of the unchanged HR, computed once. "same": of the changed HR, each time."""
    pixel_loss: PixelLoss = "l1"
    forced: bool = False
    """Give every stage of the student the teacher's output of the stage before (with losses.features)."""
    cached_views: int = 0
    """With a frozen encoder and upscaler: embed so many fixed views of each image once; 0: embed at every step."""
    ema: float = 0.0
    """Decay of the running mean of weights that is validated and kept; 0: the weights themselves."""
    clip: float = 0.0
    """Largest norm of the gradient; 0: any."""


@dataclass(frozen=True)
class Recipe:
    """A whole training. `start` "random" begins an encoder from nothing, with `layer_scale` in its blocks if set."""

    name: str
    title: str
    text: str
    stages: tuple[Stage, ...]
    batch_size: int = 32
    head: Head = field(default_factory=Head)
    criterion: Criterion = "eer"
    start: Start = "weights"
    layer_scale: float = 0.0

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


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """Plain values, as a run's config.json keeps them."""
    return {key: list(value) if key == "stages" else value for key, value in asdict(recipe).items()}


def recipe_from_dict(values: Mapping[str, Any]) -> Recipe:
    """The recipe that `recipe_to_dict` gave. Raises SettingsInvalid for anything else."""
    try:
        recipe = _made(Recipe, values)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise SettingsInvalid(f"The run's recipe can't be read: {error}.", "Start a new run.") from error
    check_recipe(recipe)
    result: Recipe = recipe
    return result


def _made(kind: Any, values: Mapping[str, Any]) -> Any:
    """A dataclass of this module from plain values; unknown names raise TypeError."""
    nested = {"losses": Losses, "rates": Rates, "augment": Augment, "head": Head}
    given: dict[str, Any] = {}
    for name, value in values.items():
        if name == "stages":
            given[name] = tuple(_made(Stage, stage) for stage in value)
        elif name in nested and kind in (Stage, Recipe):
            given[name] = _made(nested[name], value)
        else:
            given[name] = tuple(value) if isinstance(value, list) else value
    return kind(**given)


def check_recipe(recipe: Recipe) -> None:
    """Raises SettingsInvalid, naming the setting, for a recipe that can't be trained."""
    if not recipe.stages:
        raise SettingsInvalid(f"The recipe '{recipe.name}' has no stage.", "Give it one.")
    _within("batch_size", recipe.batch_size, 1, 8192)
    _within("head.scale", recipe.head.scale, 1, 512)
    _within("head.margin", recipe.head.margin, 0, 1.5)
    _within("head.label_smoothing", recipe.head.label_smoothing, 0, 0.9)
    _check_choices("", recipe)
    _check_choices("head.", recipe.head)
    names = [stage.name for stage in recipe.stages]
    if len(set(names)) < len(names):
        raise SettingsInvalid(f"Two stages are called {names}.", "Give each its own name.")
    for stage in recipe.stages:
        _check_stage(stage)


def _check_stage(stage: Stage) -> None:
    where = f"{stage.name}."
    _check_choices(where, stage)
    limits: dict[str, tuple[float, float]] = {
        "epochs": (0, 100_000),
        "warmup": (0, 0.9),
        "floor": (0, 1),
        "weight_decay": (0, 10),
        "beta2": (0.5, 0.99999),
        "patience": (0, 100_000),
        "files": (0, 1),
        "camera": (0, 1),
        "photographed": (0, 1),
        "cached_views": (0, 64),
        "ema": (0, 0.999999),
        "clip": (0, 1e6),
    }
    for name, (low, high) in limits.items():
        _within(where + name, getattr(stage, name), low, high)
    for part in (Losses, Rates):
        value = stage.losses if part is Losses else stage.rates
        for each in fields(part):
            _within(f"{where}{part.__name__.lower()}.{each.name}", getattr(value, each.name), 0, 1e4)
    for each in fields(Augment):
        high = 180 if each.name == "rotate_deg" else 1
        _within(f"{where}augment.{each.name}", getattr(stage.augment, each.name), 0, high)
    for size in stage.sizes_px:
        _within(f"{where}sizes_px", size, SMALLEST_PX, CROP_PX)
    _check_sense(stage, where)


def _check_sense(stage: Stage, where: str) -> None:
    """Settings that are each possible but can't go together."""
    losses = stage.losses
    faults = {
        "trains nothing": not stage.trains or not set(stage.trains) <= set(PARTS),
        "has no loss": not any(getattr(losses, each.name) for each in fields(Losses)),
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
    }
    for fault, found in faults.items():
        if found:
            raise SettingsInvalid(f"The stage {where[:-1]} {fault}.", "Change one of these settings.")


def _check_choices(where: str, value: Any) -> None:
    """Every setting with a fixed choice of words has one of them; numbers are numbers."""
    for name, hint in get_type_hints(type(value)).items():
        choices = get_args(hint)
        got = getattr(value, name)
        if choices and all(isinstance(choice, str) for choice in choices) and got not in choices:
            raise SettingsInvalid(f"{where}{name} is {got!r}.", f"Choose one of {', '.join(choices)}.")


def _within(name: str, value: Any, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise SettingsInvalid(f"{name} is {value!r}, expected {low:g} to {high:g}.", "Correct it.")
