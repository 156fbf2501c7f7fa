"""`weights export` and `export-onnx`: write weights in float16 with a model card, or an encoder as ONNX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.shared.common import UsageMistake, example, user_path
from core.commands.shared.option_types import JsonOption
from core.commands.shared.printing import progress, progress_line, say_result
from core.commands.shared.runs import trained_run
from core.commands.weights.facts import FileOrName
from core.settings import load_settings

if TYPE_CHECKING:
    from core.models.measured import Measured

_LEAST_COSINE = 0.9999
_NUMBERS = (1, 5)
"""Batch sizes that are checked: the file has to accept any number of crops."""


def add_to(group: typer.Typer) -> None:
    group.command(
        "export",
        epilog=example(
            "weights export finetune-20261125T101500 tuned.safetensors",
            "weights export run:starter starter.safetensors --report figures/report.json",
            "weights export run:small-faces encoder.safetensors --as-encoder",
            "weights export run:landmarks landmarks.onnx",
        ),
    )(export)
    group.command("export-onnx", epilog=example("weights export-onnx edgeface_xxs edgeface.onnx"))(export_to_onnx)


def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|NAME|run:RUN",
            help='Weights, or the best checkpoint of a run: its name, a part of it, or "run:last".',
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="The .safetensors to write, of a landmark network the .onnx; its card gets .md."
        ),
    ],
    report: Annotated[
        str | None,
        typer.Option("--report", metavar="FILE", help="report.json of `evaluate pairs`: the figures in the card."),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="The run that trained it: its settings in the card.")
    ] = None,
    as_encoder: Annotated[
        bool,
        typer.Option("--as-encoder", help="Write a specialist as an encoder for faces of every size, in its space."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write weights as float16 safetensors, half the size, with a model card beside them.

    A landmark network is float16 ONNX already and is copied, with its card.
    """
    from core.models.active import find_model
    from core.models.files import file_facts
    from core.models.header import is_landmark_network
    from core.system.atomic_file import write_atomically
    from core.training.activate import trained_files

    settings = load_settings()
    trained = trained_run(run) if run else None
    if source.startswith("run:"):
        if trained is not None:
            raise UsageMistake(f"{source} and --run were both given.", "Leave out --run: the run is known.")
        trained = trained_run(source.removeprefix("run:"))
        files = trained_files(trained)
        file: Path | None = next(iter(files.values()), None)
    else:
        file = find_model(settings, source).path
    if file is None:
        raise UsageMistake(f"{source} is no file: there is nothing to export.", "Name a file of weights.")
    path = user_path(target)
    ending = ".onnx" if is_landmark_network(file_facts(file).metadata) else ".safetensors"
    if path.suffix.lower() != ending:
        raise UsageMistake(f"{target} doesn't end in {ending}.", "Give it that ending.")
    if ending == ".onnx" and report:
        raise UsageMistake("--report is about encoders.", "A landmark network's card has the figures of its training.")
    if ending == ".onnx" and as_encoder:
        raise UsageMistake("--as-encoder is about specialists.", "Leave it out.")
    figures = _figures(user_path(report), file) if report else None
    with progress_line("loading and writing ..."):
        from core.training.export import export_float16
        from core.training.landmarks.card import copy_network, landmarks_card
        from core.training.model_card import model_card

        if ending == ".onnx":
            copy_network(file, path)
            describe = landmarks_card
        else:
            export_float16(file, path, figures=figures, as_encoder=as_encoder)
            describe = model_card
        config, came = (trained.config, trained.report) if trained else ({}, None)
        card = path.with_suffix(".md")
        write_atomically(card, describe(path, config=config, report=came).encode())
    say_result(
        {"path": path, "card": card, "size_bytes": path.stat().st_size},
        f"Wrote {path} ({path.stat().st_size / 1e6:.2f} MB) and {card}.",
        as_json,
    )


def export_to_onnx(
    file_or_name: FileOrName,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The .onnx file to write.")],
    as_json: JsonOption = False,
) -> None:
    """Write EdgeFace as ONNX: float32 (N, 3, 112, 112) in [-1, 1], RGB, to (N, 512), not normalised.

    The file's metadata holds this too, with the weights' SHA-256 and licence.

    The file is kept only when ONNX Runtime's embeddings agree with PyTorch's (cosine >= 0.9999).
    """
    from core.models.active import find_model
    from core.models.encoders import WeightsFile

    source = find_model(load_settings(), file_or_name)
    if not isinstance(source, WeightsFile):
        raise UsageMistake(f"{source.name} isn't an encoder.", "Name EdgeFace weights.")
    path = user_path(target)
    if path.suffix != ".onnx":
        raise UsageMistake(f"{path.name} doesn't end in .onnx.", "Give the file that ending.")
    progress("loading and writing ...")
    try:
        from core.encoder.encode import load_encoder
        from core.encoder.export_onnx import export_onnx, onnx_metadata, worst_cosine

        encoder = load_encoder(source.path, device="cpu", precision="float32", check=False)
        making = path.with_name(f".{path.name}.making.onnx")
        try:
            export_onnx(encoder.network, making, metadata=onnx_metadata(source, encoder.info.variant))
            cosine = min(worst_cosine(encoder.network, making, count) for count in _NUMBERS)
            if cosine < _LEAST_COSINE:
                raise UsageMistake(
                    f"The ONNX file's embeddings differ from PyTorch's (cosine {cosine:.4f}).",
                    "Nothing was written; PyTorch and onnxruntime of requirements.txt are known to agree.",
                )
            making.replace(path)
        finally:
            making.unlink(missing_ok=True)
    except ImportError as error:
        raise UsageMistake(f"{error.name} isn't installed.", "pip install -r requirements.txt") from error
    finally:
        progress("")
    say_result(
        {"path": str(path), "cosine": cosine, "size_bytes": path.stat().st_size},
        f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB); cosine to PyTorch {cosine:.6f} at worst.",
        as_json,
    )


def _figures(path: Path, source: Path) -> Measured:
    from core.models.encoders import hash_file
    from core.models.report_figures import figures_of_report

    try:
        return figures_of_report(json.loads(path.read_bytes()), sha256=hash_file(source).sha256)
    except OSError as error:
        raise UsageMistake(f"{path} can't be read: {error.strerror}.", "Check the path.") from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageMistake(
            f"{path} is no report of evaluate pairs.", "Make one: edgeface-studio evaluate pairs ... --out FOLDER."
        ) from error
