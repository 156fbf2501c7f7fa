"""`compare A B`: do two photographs show the same person?"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from core.commands.shared.common import example
from core.commands.shared.option_types import DEFAULT_THRESHOLD, JsonOption, ThresholdOption
from core.commands.shared.options import takes_options
from core.commands.shared.pipeline_options import PipelineOptions
from core.commands.shared.printing import note, say, say_json
from core.system.server_address import may_be_there


def add_to(app: typer.Typer) -> None:
    app.command("compare", epilog=example("compare a.jpg b.jpg", "compare a.jpg b.jpg --size 24 --json"))(compare)


@takes_options
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="The first photograph.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The second photograph.")],
    size: Annotated[
        Literal["16", "24", "32"] | None,
        typer.Option("--size", help="Shrink both photographs first, to this size of the face in px."),
    ] = None,
    threshold: ThresholdOption = DEFAULT_THRESHOLD,
    options: PipelineOptions = PipelineOptions(),
    as_json: JsonOption = False,
) -> None:
    """Say whether two photographs show the same person."""
    from core.images import read_image
    from core.settings import load_settings

    images = [read_image(a), read_image(b)]
    gallery = load_settings().gallery_path  # for its calibrated thresholds alone
    pipeline = options.pipeline(
        recognition_threshold=threshold, gallery_path=gallery if may_be_there(gallery) else None
    )
    result = pipeline.compare(*images, reduce_to_px=int(size) if size else None)
    if as_json:
        say_json(
            {
                "same": result.same,
                "score": result.score,
                "threshold": result.threshold,
                "calibrated": result.calibrated,
                "reason": result.reason,
                "probe_px": [round(probe.probe_px, 1) if probe else None for probe in (result.a, result.b)],
                "encoder": pipeline.encoder.name,
                "weights_sha256": pipeline.encoder.weights_sha256,
                "upscaler": pipeline.upscaler.name,
                "flip_tta": options.use_tta,
                "enlarged_by": [probe.upscaler_text if probe else None for probe in (result.a, result.b)],
            }
        )
        return
    verdict = {True: "the same person", False: "different people", None: "can't say"}[result.same]
    for which, probe in (("first", result.a), ("second", result.b)):
        if probe is not None and probe.upscaler_because:
            note(f"The {which} face was enlarged by {probe.upscaler_text}.")
    default = threshold == DEFAULT_THRESHOLD and result.same is not None and not result.calibrated
    say(f"{verdict}: {result.reason}{' (the default threshold, not calibrated)' if default else ''}")
