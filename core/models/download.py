"""Download an official weights file: resumed after a cut, verified by git blob id, moved into place when complete."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from core.access.actor import require
from core.access.roles import Permission
from core.errors import StorageFailed
from core.models.encoders import describe, free_path
from core.models.errors import WeightsMissing
from core.models.http_transfer import Broken, FetchEvent, OnEvent, Transfer, reason, require_allowed
from core.models.variants import OFFICIAL_FOLDER, Variant
from core.system.logs import Public, logger

if TYPE_CHECKING:
    import requests

_log = logger(__name__)

ATTEMPTS = 4
FIRST_PAUSE_S = 1.0
TIMEOUT_S = (10.0, 30.0)
"""Seconds to connect, and between two blocks of the file."""


def fetch(
    variant: Variant,
    weights_dir: Path,
    *,
    base_url: str = OFFICIAL_FOLDER,
    on_event: OnEvent | None = None,
    session: requests.Session | None = None,
    attempts: int = ATTEMPTS,
    sleep: Callable[[float], None] = time.sleep,
    timeout_s: tuple[float, float] = TIMEOUT_S,
) -> Path:
    """The official file of `variant` in `weights_dir`, downloaded from `base_url`/<name>.pt unless it is there.

    A different file of that name is left alone; the official one then gets a number in its name. Raises
    DownloadFailed (offline, refused, broken off every time, wrong content, another download of it is running),
    StorageFailed (disk full, no permission) and SettingsInvalid (an address that isn't https).
    """
    import requests

    require(Permission.WEIGHTS)
    tell = on_event or _ignore
    target = weights_dir / variant.file_name
    if _is_right(target, variant):
        tell(FetchEvent("present", target.stat().st_size, target.stat().st_size, f"{target.name} is there already"))
        return target
    url = f"{base_url.rstrip('/')}/{variant.file_name}"
    require_allowed(url, loopback=True)
    began = time.monotonic()
    opened = nullcontext(session) if session is not None else requests.Session()
    with opened as connection:
        transfer = Transfer(variant, url, weights_dir, connection, tell, timeout_s)
        target = _run(transfer, attempts, sleep)
    _log.info("downloaded %s: %d bytes, %.1f s", Public(variant.name), target.stat().st_size, time.monotonic() - began)
    tell(FetchEvent("done", target.stat().st_size, target.stat().st_size, f"saved as {target}"))
    return target


def _run(transfer: Transfer, attempts: int, sleep: Callable[[float], None]) -> Path:
    import requests

    folder, name = transfer.target.parent, transfer.target.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with transfer.part_file() as part:
            _with_retries(transfer, part, attempts, sleep)
            os.fsync(part.fileno())
            target = free_path(folder, name)
            transfer.part.replace(target)
        transfer.etag_path.unlink(missing_ok=True)
        return target
    except requests.RequestException as error:  # an OSError too, so it comes first
        raise transfer.failed(reason(error)) from error
    except OSError as error:
        raise StorageFailed(
            f"{name} couldn't be written into {folder}: {error.strerror or error}.",
            "Free space or check the folder's permissions, then run it again: it goes on where it stopped.",
        ) from error


def _with_retries(transfer: Transfer, part: BinaryIO, attempts: int, sleep: Callable[[float], None]) -> None:
    for attempt in range(1, attempts + 1):
        try:
            transfer.run(part)
            transfer.require_right(part)
            return
        except Broken as broken:
            if attempt == attempts:
                raise transfer.failed(f"{broken} ({attempts} attempts)") from broken
            _log.warning("download of %s interrupted, attempt %d", Public(transfer.variant.name), attempt)
            pause = FIRST_PAUSE_S * 2 ** (attempt - 1)
            transfer.tell(FetchEvent("retrying", transfer.done_bytes, None, f"{broken}; trying again in {pause:.0f} s"))
            sleep(pause)


def _is_right(path: Path, variant: Variant) -> bool:
    try:
        return describe(path).git_blob_id == variant.git_blob_id
    except WeightsMissing:
        return False


def _ignore(event: Any) -> None:
    return None
