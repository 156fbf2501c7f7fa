"""Options that several commands share, as annotated types."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from core.settings import UNCALIBRATED_THRESHOLD

GalleryOption = Annotated[
    str | None,
    typer.Option(
        "--gallery-path",
        metavar="FILE|ADDRESS",
        help="The gallery's file, or postgresql://USER@HOST/DATABASE; default: data/gallery.db.",
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option("--weights", metavar="FILE|NAME", help="Encoder weights for this run; default: those in use."),
]
UpscalerOption = Annotated[
    str | None,
    typer.Option(
        "--upscaler",
        metavar="FILE|NAME",
        help="Upscaler of small faces: a DSR file or bicubic; default: the one in use.",
    ),
]
SkipDsrOption = Annotated[bool, typer.Option("--skip-dsr", help="Enlarge small faces by bicubic interpolation.")]
TtaOption = Annotated[
    bool, typer.Option("--use-tta", help="Also embed the mirror image of each face: slightly better, half as fast.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
ThresholdOption = Annotated[
    float, typer.Option("--threshold", help="Accept a cosine >= this. The default isn't calibrated.")
]
TieMarginOption = Annotated[
    float,
    typer.Option(
        "--tie-margin",
        min=0.0,
        max=1.0,
        help="Name nobody if the two best scores differ by at most this; 0: only if they are equal.",
    ),
]
FacesOption = Annotated[
    Literal["largest", "centre"], typer.Option("--faces", help="Which face of a photograph to use.")
]
AlignedOption = Annotated[
    bool | None,
    typer.Option(
        "--aligned/--not-aligned",
        help="Treat images as aligned crops, or never; default: squares of at most 64 px that look aligned.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON only.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Don't wait; follow it with `runs log last --follow`.")]
ActorOption = Annotated[str, typer.Option("--actor", help="Name for the audit trail.")]

DEFAULT_THRESHOLD = UNCALIBRATED_THRESHOLD
