"""`evaluate pooling`: compare several pooled frames of a face with one."""

from __future__ import annotations

from typing import Annotated

import typer

from core.commands.evaluate.options import (
    BootstrapOption,
    Ending,
    ModeOption,
    OneSystem,
    People,
    SeedOption,
    SizesOption,
    modes_of,
    run_and_print,
    sizes_of,
)
from core.commands.shared.common import UsageMistake, example
from core.commands.shared.options import takes_options


def add_to(group: typer.Typer) -> None:
    group.command(
        "pooling",
        epilog=example(
            "evaluate pooling --dataset-root lfw", "evaluate pooling --dataset-root lfw --frames 1,5 --sizes 32,16"
        ),
    )(pooling)


@takes_options
def pooling(
    people: People,
    frames: Annotated[str, typer.Option("--frames", help="Frames to pool; people with more images take part.")] = (
        "1,5,15"
    ),
    draws: Annotated[int, typer.Option("--draws", min=1, max=1000, help="Random draws of the enrolled images.")] = 20,
    sizes: SizesOption = "16",
    mode: ModeOption = "aligned",
    bootstrap: BootstrapOption = 300,
    seed: SeedOption = 0,
    *,
    systems: OneSystem,
    ending: Ending,
) -> None:
    """Compare several frames of a face with one: EER and rank-1 of embeddings pooled by quality, as in video."""
    from core.evaluation.run_config import pooling_config

    root = people.root()
    config = pooling_config(
        root,
        systems.config,
        {"sizes": sizes_of(sizes), "modes": modes_of(mode), "bootstrap": bootstrap, "seed": seed},
        split=people.split,
        photographs=people.folder(),
        pooled={"frames": _frames(frames), "draws": draws},
    )
    run_and_print(config, f"pooling-{root.name}", ("pooling",), ending)


def _frames(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 1000 for part in parts):
        raise UsageMistake(f"--frames '{text}' isn't a list of numbers.", "Write it as in 1,5,15.")
    return [int(part) for part in parts]
