"""Check the installation: what is installed and in use, what is missing and how to get it.

Changes nothing but the permissions of files that other accounts could read; needs no weights.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.errors import CoreError
from core.gallery.snapshot import backup_folder
from core.settings import Settings, load_settings
from core.system.private_files import make_private
from core.system.server_address import is_server, may_be_there
from core.system.sqlite_files import side_files

if TYPE_CHECKING:
    from core.gallery.records import Space

State = Literal["ok", "missing", "warning"]

LOW_SPACE_BYTES = 1_000_000_000
_INSTALL = "pip install -r requirements.txt"


@dataclass(frozen=True)
class Row:
    """The result of one check. `needed`: recognition depends on it. `how_to_get` is "" without a fault or advice."""

    name: str
    state: State
    detail: str
    how_to_get: str = ""
    needed: bool = False


def examine(settings: Settings, *, devices: Path = Path("/dev")) -> list[Row]:
    """Check everything that recognition depends on. Faults are rows, not errors.

    `devices` is the folder where Linux lists cameras.
    """
    return [
        check_python(),
        check_torch(),
        check_device(),
        check_weights(settings),
        check_upscaler(settings),
        check_detector(),
        check_gallery(settings),
        check_attacks(settings),
        check_camera(devices),
        check_disk(settings),
        check_private(settings),
    ]


def can_recognise(rows: Sequence[Row]) -> bool:
    """True when nothing that recognition needs is missing."""
    return not any(row.needed and row.state == "missing" for row in rows)


def check_python() -> Row:
    """Report the Python version; older ones than required can't install the project."""
    return Row("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}", needed=True)


def check_torch() -> Row:
    """Check that torch, torchvision and timm are installed, and that torchvision was built for this torch."""
    try:
        found = {name: version(name) for name in ("torch", "torchvision", "timm")}
    except PackageNotFoundError as error:
        return Row("PyTorch", "missing", f"{error.name} isn't installed", f"Install it: {_INSTALL}", True)
    detail = ", ".join(f"{name} {number}" for name, number in found.items())
    wanted = torch_for_torchvision(requires("torchvision") or ())
    if wanted is not None and wanted != found["torch"].partition("+")[0]:
        return Row("PyTorch", "missing", f"{detail}: this torchvision needs torch {wanted}", f"{_INSTALL}", True)
    try:
        import torch  # noqa: F401  # does it load at all?
        import torchvision  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0]
        return Row(
            "PyTorch", "missing", f"{detail}, but it doesn't load: {first}", f"Install it again: {_INSTALL}", True
        )
    return Row("PyTorch", "ok", detail, needed=True)


def torch_for_torchvision(requirements: Sequence[str]) -> str | None:
    """The torch version in torchvision's requirements ("torch==2.14.1" -> "2.14.1"), None when none is fixed."""
    for requirement in requirements:
        if match := re.match(r"torch\s*\(?==\s*([0-9][0-9.]*)", requirement):
            return match[1]
    return None


def check_device() -> Row:
    """Report the device that "auto" selects, and whether this CPU supports bfloat16."""
    try:
        import torch

        from core.encoder.encode import resolve_device
        from core.system.cpu import cpu_has_bfloat16
    except (ImportError, OSError, RuntimeError):
        return Row("device", "missing", "unknown while PyTorch doesn't load", f"Install it: {_INSTALL}")
    chosen = resolve_device("auto")
    bfloat16 = "with bfloat16" if cpu_has_bfloat16() else "without bfloat16 (float32 is used)"
    others = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    absent = ", ".join(name for name, there in others.items() if not there)
    detail = f"{chosen}; CPU {bfloat16}, {torch.get_num_threads()} threads{f'; no {absent}' if absent else ''}"
    return Row("device", "ok", detail)


def check_weights(settings: Settings) -> Row:
    """Check that the weights in use load completely and pass the health check."""
    try:
        from core.models.encoders import active_weights, fetch_command
        from core.models.figures import measured
        from core.models.files import origin_in_words
        from core.models.variants import RECOMMENDED

        file = active_weights(settings)
    except CoreError as error:
        return Row("weights", "missing", error.what, error.next_step, True)
    try:
        from core.encoder.encode import load_encoder

        encoder = load_encoder(file.path, device="cpu", check=True)
    except CoreError as error:
        return Row("weights", "missing", error.what, error.next_step, True)
    except (ImportError, OSError, RuntimeError) as error:
        return Row(
            "weights", "missing", f"{file.path.name} can't be loaded: {error}", f"Install again: {_INSTALL}", True
        )
    origin = file.origin_text if file.official else f"{encoder.name}, {origin_in_words(settings, file)}"
    detail = f"{file.path.name} ({origin}): complete, healthy, {encoder.info.parameters:,} parameters"
    figures = measured(file, settings)
    detail += f"; EER {figures.line}" if figures is not None else ""
    if file.origin == "starter":
        how = f"Limited accuracy. Official weights recognise better: {fetch_command()}, then weights use {RECOMMENDED}"
        return Row("weights", "warning", detail, how, True)
    return Row("weights", "ok", detail, needed=True)


def check_upscaler(settings: Settings) -> Row:
    """Check the upscaler: a DSR file or a specialist that loads completely, with its sizes, or bicubic."""
    from core.models.upscalers import active_upscaler
    from core.sr.upscale import load_upscaler

    try:
        file = active_upscaler(settings)
        if file.specialist is not None:
            from core.encoder.encode import load_encoder

            load_encoder(file.specialist.path, device="cpu", check=True)
        else:
            load_upscaler(file.path)
    except CoreError as error:
        return Row("upscaler", "missing", error.what, error.next_step, True)
    except (ImportError, OSError, RuntimeError) as error:
        return Row("upscaler", "missing", f"it can't be loaded: {error}", f"Install again: {_INSTALL}", True)
    if file.path is None:
        return Row("upscaler", "ok", "bicubic: interpolation, nothing is invented")
    if file.specialist is not None:
        own = file.specialist
        detail = f"a specialist for faces up to {own.max_px} px, in the space of {own.weights_name or 'the weights'}"
        return Row("upscaler", "ok", f"{file.path.name}: {detail}")
    left = f"; bicubic at {' and '.join(map(str, file.bicubic_px))} px, where it measures better"
    return Row("upscaler", "ok", f"{file.path.name}: a DSR network{left if file.bicubic_px else ''}")


def check_detector() -> Row:
    """Check that the detector's two networks are installed, and that OpenCV and ONNX Runtime run them."""
    try:
        import cv2

        from core.faces.detect import Detector
        from core.faces.yunet_model import detector_model_path
        from core.models.landmark_networks import resolve_landmarks

        path = detector_model_path()
        detector = Detector(model_path=path, landmarks_path=resolve_landmarks(load_settings()))
        grey = np.full((64, 64, 3), 128, np.uint8)
        detector.detect(grey)
        detector.recognisability([grey])
    except CoreError as error:
        return Row("face detector", "missing", error.what, error.next_step, True)
    except (ImportError, AttributeError) as error:
        return Row("face detector", "missing", f"A package isn't usable: {error}", f"Install it: {_INSTALL}", True)
    except cv2.error:
        return Row("face detector", "missing", f"OpenCV can't run {path.name}", f"Install it: {_INSTALL}", True)
    return Row(
        "face detector", "ok", f"YuNet ({path.name}) and the landmark network, OpenCV {cv2.__version__}", needed=True
    )


def check_gallery(settings: Settings) -> Row:
    """Check that the gallery opens, passes its database's own check, and can be searched with the weights in use."""
    from core.gallery.encryption import unused_key
    from core.gallery.store import Gallery
    from core.gallery.template_replacement import other_upscalers
    from core.models.active import other_small_faces

    path = settings.gallery_path
    if not may_be_there(path):
        how = "It is created by the first enrolment: edgeface-studio enroll --user-id NAME --photos A.jpg B.jpg C.jpg"
        return Row("gallery", "missing", f"none yet at {path}", how)
    try:
        with Gallery.open(path, create=False) as gallery:
            people, unused = gallery.size, unused_key(gallery)
            space = _space_in_use(settings)
            lost = 0 if space is None else sum(each.in_space == 0 for each in gallery.identities(space=space))
            others = None if space is None else other_small_faces(settings, other_upscalers(gallery, space), space)
            problem = gallery.database.problem()
    except CoreError as error:
        return Row("gallery", "missing", error.what, error.next_step, True)
    if problem:
        how = "Put a backup or an export in its place (edgeface-studio gallery import FILE)."
        return Row("gallery", "missing", f"{path} is damaged: {problem}", how, True)
    sound = "the server answers" if is_server(path) else "integrity ok"
    detail = f"{path}: {people} {'person' if people == 1 else 'people'}, {sound}"
    if unused is not None:
        how = "It is older than the key. Encrypt it: edgeface-studio gallery encrypt KEYFILE"
        return Row("gallery", "warning", f"{detail}; not encrypted, although the key {unused.fingerprint} is set", how)
    if lost and (others is None or others.searched):
        how = "Re-embed them (edgeface-studio gallery reembed), or use the weights they were enrolled with."
        return Row(
            "gallery", "warning", f"{detail}; {lost} enrolled with other weights or settings than those in use", how
        )
    if others is not None:
        state: State = "ok" if others.searched else "warning"
        return Row("gallery", state, f"{detail}; {others.what.rstrip('.')}", others.next_step)
    return Row("gallery", "ok", detail)


def _space_in_use(settings: Settings) -> Space | None:
    from core.models.active import space_in_use
    from core.models.encoders import active_weights

    try:
        return space_in_use(settings, active_weights(settings))
    except CoreError:
        return None


def check_attacks(settings: Settings) -> Row:
    """Check the presentation-attack model. Having none is not a fault."""
    from core.recognition.attack_check import UNPROTECTED, chosen_check, load_check

    try:
        chosen = chosen_check(settings)
        load_check(settings)
    except CoreError as error:
        return Row("attack check", "missing", error.what, error.next_step, True)
    if chosen is None:
        return Row("attack check", "ok", f"none: {UNPROTECTED[0].lower()}{UNPROTECTED[1:].rstrip('.')}")
    at = chosen.model
    return Row("attack check", "ok", f"{chosen.path.name}: faces from {at.min_face_px:g} px on, limit {at.limit:g}")


def check_camera(devices: Path) -> Row:
    """Look for a camera of this computer, for video; the browser's camera isn't checked."""
    if platform.system() != "Linux":
        return Row("camera", "ok", "not looked for on this system: the system asks when it is first used")
    found = sorted(devices.glob("video*"))
    readable = [path.name for path in found if os.access(path, os.R_OK)]
    if readable:
        return Row("camera", "ok", f"{', '.join(readable)} readable")
    if found:
        how = "Add yourself to the group video, then log in again: sudo usermod -aG video $USER"
        return Row("camera", "warning", f"{', '.join(path.name for path in found)} can't be read", how)
    how = "Connect a webcam; photographs and the browser's camera work without."
    return Row("camera", "missing", f"no {devices}/video*", how)


def check_disk(settings: Settings) -> Row:
    """Check free space and write permission in the data folder."""
    folder = settings.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Row(
            "disk", "warning", f"{folder}: {error.strerror or error}", "Choose another folder: EDGEFACE_DATA_DIR."
        )
    detail = f"{free / 1e9:.1f} GB free at {settings.data_dir}"
    if not os.access(folder, os.W_OK | os.X_OK):
        how = "Allow writing there, or choose another folder: EDGEFACE_DATA_DIR."
        return Row("disk", "warning", f"{detail}, but it can't be written", how)
    if free < LOW_SPACE_BYTES:
        return Row("disk", "warning", detail, "Free space, or choose another folder: EDGEFACE_DATA_DIR.")
    return Row("disk", "ok", detail)


def check_private(settings: Settings) -> Row:
    """Remove the permissions of other accounts on the data folder and the gallery."""
    gallery = settings.gallery_path
    places = [settings.data_dir]
    if isinstance(gallery, Path):
        places += [gallery, *side_files(gallery), backup_folder(gallery)]
    repaired = make_private(places)
    if repaired.refused:
        first, more = repaired.refused[0], len(repaired.refused) - 1
        detail = f"others can open {first}{f' and {more:,} more' if more else ''}, and this account can't change that"
        return Row("privacy", "warning", detail, "Give the files to the account that runs this, then run it again.")
    files = "1 file or folder" if repaired.count == 1 else f"{repaired.count:,} files and folders"
    done = f"; permissions of others removed from {files}" if repaired.count else ""
    return Row("privacy", "ok", f"{settings.data_dir} is readable by its owner only{done}")
