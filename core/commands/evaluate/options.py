"""Options of the evaluate commands that say what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.commands.shared.common import UsageMistake, user_path
from core.commands.shared.option_types import DeviceOption, TtaOption
from core.errors import SettingsInvalid
from core.evaluation.pairs import folds_of
from core.settings import load_settings

if TYPE_CHECKING:
    from core.evaluation.evaluation_spec import SystemSpec
    from core.evaluation.views import Size

WeightsListOption = Annotated[
    list[str] | None,
    typer.Option("--edgeface-weights", "--weights", metavar="FILE|NAME", help="Encoder weights; may be repeated."),
]
UpscalerListOption = Annotated[
    list[str] | None,
    typer.Option(
        "--upscaler", metavar="FILE", help='A DSR file or "bicubic"; default: the one in use; may be repeated.'
    ),
]
OneWeightsOption = Annotated[
    str | None,
    typer.Option("--edgeface-weights", "--weights", metavar="FILE|NAME", help="Default: the weights in use."),
]
OneUpscalerOption = Annotated[
    str | None, typer.Option("--upscaler", metavar="FILE", help='A DSR file or "bicubic"; default: the one in use.')
]
PeerOption = Annotated[
    list[str] | None,
    typer.Option("--peer", metavar="FILE.onnx", help="Another recogniser with a 112 px input; may be repeated."),
]
PeerBgrOption = Annotated[bool, typer.Option("--peer-bgr", help="The peers take BGR channels.")]
DirectFeedOption = Annotated[
    bool,
    typer.Option(
        "--direct-feed/--no-direct-feed",
        help="Also measure each encoder fed by bicubic enlargement alone, and so the official weights it comes from.",
    ),
]
SizesOption = Annotated[
    str,
    typer.Option("--sizes", help='Probe sizes in px, and HR for full size; "curve": HR,48,40,32,24,20,16,12.'),
]
ModeOption = Annotated[
    Literal["both", "aligned", "end-to-end"],
    typer.Option("--mode", help="Shrink the aligned crop, or the whole photograph before detection."),
]
DegradationOption = Annotated[
    Literal["bicubic", "camera", "both", "stored"],
    typer.Option("--degradation", help="How probes are degraded; stored: the data set's own VLR files."),
]
BootstrapOption = Annotated[
    int, typer.Option("--bootstrap", min=0, max=100_000, help="Resamples for the intervals; 0: none.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same figures.")]
DatasetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset-root",
        metavar="FOLDER|NAME",
        help="A data set, a folder in a known layout, or a CSV of paths and people.",
    ),
]
SplitOption = Annotated[
    Literal["train", "val", "test"] | None, typer.Option("--split", help="Only this split; default: everything.")
]
PhotographsOption = Annotated[
    str | None,
    typer.Option(
        "--photographs", metavar="FOLDER", help="Photographs that the data set was ingested from; needed end to end."
    ),
]


@dataclass(frozen=True)
class SeveralSystems:
    """The systems to measure: every encoder with every upscaler, then the peers, then what they stand beside."""

    weights: WeightsListOption = None
    upscaler: UpscalerListOption = None
    peer: PeerOption = None
    peer_bgr: PeerBgrOption = False
    direct_feed: DirectFeedOption = True
    use_tta: TtaOption = False
    device: DeviceOption = "auto"

    def config(self) -> list[SystemSpec]:
        """The systems for a run's config. Files are resolved here, so that a mistake is reported before the run starts.
        Raises what `open_system` raises."""
        specs = _systems(self.weights, self.upscaler, self.peer, self.use_tta, self.device, self.peer_bgr)
        if not self.direct_feed:
            return specs
        from core.evaluation.direct_feed import with_direct_feed

        return with_direct_feed(specs, load_settings())


@dataclass(frozen=True)
class OneSystem:
    """The system to measure: one encoder with one upscaler."""

    weights: OneWeightsOption = None
    upscaler: OneUpscalerOption = None
    use_tta: TtaOption = False
    device: DeviceOption = "auto"

    def config(self) -> list[SystemSpec]:
        """The system for a run's config, as a list of one; see `SeveralSystems.config`."""
        named = None if self.weights is None else [self.weights]
        enlarged = None if self.upscaler is None else [self.upscaler]
        return _systems(named, enlarged, None, self.use_tta, self.device)


@dataclass(frozen=True)
class DataOptions:
    """The data set to measure on."""

    dataset_root: DatasetOption = None
    split: SplitOption = None
    photographs: PhotographsOption = None

    def root(self) -> Path:
        """The folder of the data set. Raises UsageMistake."""
        return Path(source_of(self.dataset_root))

    def folder(self) -> Path | None:
        """The folder of photographs, if one is named."""
        return None if self.photographs is None else user_path(self.photographs)


@dataclass(frozen=True)
class ProbeOptions:
    """Sizes of the probes, and where they are degraded."""

    sizes: SizesOption = "HR,32,24,16"
    mode: ModeOption = "aligned"

    def plan(self) -> dict[str, Any]:
        """The fields of a run's config. Raises UsageMistake."""
        return {"sizes": sizes_of(self.sizes), "modes": modes_of(self.mode)}


@dataclass(frozen=True)
class ResamplingOptions:
    """Resamples and seed of a run's config, by the names of its fields."""

    bootstrap: BootstrapOption = 1000
    seed: SeedOption = 0


def source_of(text: str | None) -> str:
    """The data set that --dataset-root means: a folder, a CSV, or a name in data/datasets. Raises UsageMistake."""
    from core.commands.dataset.options import source_path

    if text is None:
        raise UsageMistake("Name the data set.", "Add --dataset-root FOLDER, or the name of one in data/datasets.")
    path = source_path(text)
    if not path.exists():
        raise UsageMistake(f"There is no data set at {path}.", "See edgeface-studio dataset list.")
    return str(path.resolve())


def folds_given(text: str | None, option: str = "--folds") -> list[int] | None:
    """'1-3,7' -> [1, 2, 3, 7]; None for all. Raises UsageMistake, also for an empty text."""
    try:
        folds = folds_of(text)
    except SettingsInvalid as error:
        raise UsageMistake(f"{option}: {error.what}", error.next_step) from error
    if folds is None and text is not None:
        raise UsageMistake(f"{option} is empty.", "Write 1-7, or 1,3,5; leave it out for all.")
    return folds


def sizes_of(text: str) -> list[Size]:
    """'HR,32,16' -> [None, 32, 16]; "curve" for those of a resolution curve. Raises UsageMistake."""
    from core.evaluation.evaluation_spec import CURVE_SIZES

    if text.strip().lower() == "curve":
        return list(CURVE_SIZES)
    sizes: list[Size] = []
    for part in text.split(","):
        word = part.strip().lower()
        if word == "hr":
            sizes.append(None)
        elif word.isascii() and word.isdigit() and 8 <= int(word) <= 111:
            sizes.append(int(word))
        else:
            raise UsageMistake(
                f"--sizes '{text}' isn't a list of sizes.", "Write HR and numbers from 8 to 111, as in HR,32,16."
            )
    return list(dict.fromkeys(sizes))


def modes_of(mode: str) -> list[str]:
    return ["aligned", "end to end"] if mode == "both" else ["aligned"] if mode == "aligned" else ["end to end"]


def degradations_of(text: str) -> list[str]:
    return ["bicubic", "camera"] if text == "both" else [text]


def _systems(
    weights: Sequence[str] | None,
    upscalers: Sequence[str] | None,
    peers: Sequence[str] | None,
    use_tta: bool,
    device: str,
    peer_bgr: bool = False,
) -> list[SystemSpec]:
    from core.evaluation.systems import every_system
    from core.sr.upscale import BICUBIC

    if peer_bgr and not peers:
        raise UsageMistake("--peer-bgr goes with --peer.", "Name the peer, or leave it out.")
    named = [_file_or_name(one) for one in weights] if weights else [None]
    enlarged = [one if one == BICUBIC else str(user_path(one).resolve()) for one in upscalers or ()]
    return every_system(
        load_settings(),
        named,
        enlarged or [None],
        [str(user_path(peer).resolve()) for peer in peers or ()],
        use_tta=use_tta,
        device=device,
        bgr=peer_bgr,
    )


def _file_or_name(text: str) -> str:
    path = user_path(text)
    return str(path.resolve()) if path.exists() else text
