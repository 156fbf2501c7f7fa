"""`weights export-onnx`: write EdgeFace for devices without PyTorch, checked against PyTorch."""

from __future__ import annotations

from typing import Annotated

import typer

from core.commands.shared.common import JsonOption, UsageMistake, example, progress, say, say_json, user_path
from core.commands.weights.facts import FileOrName
from core.settings import load_settings

_LEAST_COSINE = 0.9999
_NUMBERS = (1, 5)
"""Batch sizes that are checked: the file has to accept any number of crops."""


def add_to(group: typer.Typer) -> None:
    group.command("export-onnx", epilog=example("weights export-onnx edgeface_xxs edgeface.onnx"))(export_to_onnx)


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
        raise UsageMistake(f"{source.name} is an upscaler, not an encoder.", "Name EdgeFace weights.")
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
    if as_json:
        say_json({"path": str(path), "cosine": cosine, "size_bytes": path.stat().st_size})
    else:
        say(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB); cosine to PyTorch {cosine:.6f} at worst.")
