"""Download an official weights file: resumed after a cut, verified by git blob id, moved into place when complete."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from core.access.actor import require
from core.access.roles import Permission
from core.errors import StorageFailed
from core.models.encoders import describe, free_path
from core.models.errors import DownloadFailed, DownloadRunning, WeightsMissing
from core.models.http_transfer import Broken, FetchEvent, OnEvent, Transfer, reason, require_allowed
from core.models.variants import Variant
from core.system.logs import Public, logger

_log = logger(__name__)

ATTEMPTS = 4
FIRST_PAUSE_S = 1.0
TIMEOUT_S = (10.0, 30.0)
"""Seconds to connect, and between two blocks of the file."""


@dataclass(frozen=True)
class Retries:
    """How a download is attempted: attempts per address, seconds to connect and between two blocks, and how to wait."""

    attempts: int = ATTEMPTS
    timeout_s: tuple[float, float] = TIMEOUT_S
    sleep: Callable[[float], None] = time.sleep


def fetch(
    variant: Variant,
    weights_dir: Path,
    *,
    base_url: str | None = None,
    on_event: OnEvent | None = None,
    retries: Retries | None = None,
) -> Path:
    """Return the official file of `variant` in `weights_dir`, downloaded unless it is there.

    It comes from the first address of `variant.folders` that has it, or from `base_url`/<name>.pt alone. A different
    file of that name is kept; the official one then gets a number in its name. Raises DownloadFailed (offline, refused,
    broken off every time, wrong content, another download of it is running), StorageFailed (disk full, no permission)
    and SettingsInvalid (an address that isn't https).
    """
    import requests

    require(Permission.WEIGHTS)
    report = on_event or _ignore
    retries = retries or Retries()
    target = weights_dir / variant.file_name
    if _is_right(target, variant):
        report(FetchEvent("present", target.stat().st_size, target.stat().st_size, f"{target.name} is there already"))
        return target
    folders = variant.folders if base_url is None else (base_url,)
    urls = [f"{folder.rstrip('/')}/{variant.file_name}" for folder in folders]
    for url in urls:
        require_allowed(url, loopback=True)
    began = time.monotonic()
    with requests.Session() as session:
        target = _from_first(
            [Transfer(variant, url, weights_dir, session, report, retries.timeout_s) for url in urls], retries
        )
    _log.info("downloaded %s: %d bytes, %.1f s", Public(variant.name), target.stat().st_size, time.monotonic() - began)
    report(FetchEvent("done", target.stat().st_size, target.stat().st_size, f"saved as {target}"))
    return target


def _from_first(transfers: Sequence[Transfer], retries: Retries) -> Path:
    """The file of the first transfer that succeeds, the later ones tried once. Raises the first one's error."""
    failed: DownloadFailed | None = None
    for transfer in transfers:
        if failed is not None:
            host = urlsplit(transfer.url).hostname
            transfer.tell(FetchEvent("retrying", 0, None, f"{failed.what} Trying {host}"))
        try:
            return _run(transfer, retries if failed is None else replace(retries, attempts=1))
        except DownloadRunning:
            raise
        except DownloadFailed as error:
            _log.warning("download of %s failed at an address", Public(transfer.variant.name))
            failed = failed or error
    assert failed is not None, "a variant has an address"
    raise failed


def _run(transfer: Transfer, retries: Retries) -> Path:
    import requests

    folder, name = transfer.target.parent, transfer.target.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with transfer.part_file() as part:
            _with_retries(transfer, part, retries)
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


def _with_retries(transfer: Transfer, part: BinaryIO, retries: Retries) -> None:
    for attempt in range(1, retries.attempts + 1):
        try:
            transfer.run(part)
            transfer.require_right(part)
            return
        except Broken as broken:
            if attempt == retries.attempts:
                raise transfer.failed(f"{broken} ({retries.attempts} attempts)") from broken
            _log.warning("download of %s interrupted, attempt %d", Public(transfer.variant.name), attempt)
            pause = FIRST_PAUSE_S * 2 ** (attempt - 1)
            transfer.tell(FetchEvent("retrying", transfer.done_bytes, None, f"{broken}; trying again in {pause:.0f} s"))
            retries.sleep(pause)


def _is_right(path: Path, variant: Variant) -> bool:
    try:
        return describe(path).git_blob_id == variant.git_blob_id
    except WeightsMissing:
        return False


def _ignore(event: Any) -> None:
    return None
