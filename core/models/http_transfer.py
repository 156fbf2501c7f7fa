"""One transfer of a weights file over HTTP: pieces, ranges and what the server says about them.

The bytes received so far are in `<name>.pt.part`, with the server's ETag in `<name>.pt.part.etag`; a later call resumes
from there. Only https is used, except for a server on this machine.

This isn't pooch: pooch 1.9 discards a broken download instead of resuming it, can't verify a git blob id, which is the
only hash that the publication gives, retries a 404, and follows redirects to http.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal
from urllib.parse import urljoin, urlsplit

from core.errors import SettingsInvalid
from core.models.encoders import hash_file
from core.models.errors import DownloadFailed, DownloadRunning
from core.models.variants import Variant
from core.system.platform_files import lock

if TYPE_CHECKING:
    import requests

_BLOCK = 1 << 13
"""Bytes; small, because a block that is cut off is fetched again."""
_MAX_REDIRECTS = 5
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class FetchEvent:
    """Progress of a download. `total_bytes` is None until the server reports it; `text` is a line for the screen."""

    state: Literal["present", "downloading", "resuming", "restarting", "retrying", "checking", "done"]
    done_bytes: int = 0
    total_bytes: int | None = None
    text: str = ""


OnEvent = Callable[[FetchEvent], None]


class Broken(Exception):
    """A transfer that may succeed when it is tried again."""


class Transfer:
    """One download: its files and its progress."""

    def __init__(
        self,
        variant: Variant,
        url: str,
        folder: Path,
        session: requests.Session,
        tell: OnEvent,
        timeout_s: tuple[float, float],
    ) -> None:
        self.variant, self.url, self.session, self.tell, self.timeout_s = variant, url, session, tell, timeout_s
        self.target = folder / variant.file_name
        self.part = folder / f"{variant.file_name}.part"
        self.etag_path = folder / f"{variant.file_name}.part.etag"
        self.done_bytes = 0
        self.resumed = False

    @contextmanager
    def part_file(self) -> Iterator[BinaryIO]:
        """Open the part file for reading and writing, locked against a second download of the same file."""
        with self.part.open("ab"):
            pass  # created if it is missing, kept otherwise
        with self.part.open("r+b") as file:
            if not lock(file.fileno(), wait=False):
                raise DownloadRunning(
                    f"{self.variant.file_name} is being downloaded already.", "Wait until that download ends."
                )
            self.done_bytes = file.seek(0, os.SEEK_END)
            yield file

    def run(self, part: BinaryIO) -> None:
        """One attempt, from where the part file ends. Raises Broken, DownloadFailed, OSError."""
        import requests

        headers = {"Accept-Encoding": "identity"}
        if self.done_bytes:
            headers["Range"] = f"bytes={self.done_bytes}-"
            if etag := self._read_etag():
                headers["If-Range"] = etag
        try:
            with self._open(headers) as response:
                total = self._begin(response, part)
                if total is None or self.done_bytes < total:
                    self._receive(response, part, total)
        except (requests.exceptions.SSLError, requests.exceptions.InvalidURL):
            raise
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise Broken(reason(error)) from error

    def _open(self, headers: dict[str, str]) -> requests.Response:
        """Follow redirects by hand: each step has to be https, so that nobody on the way can exchange the file."""
        url = self.url
        local = _is_loopback(url)
        for _ in range(_MAX_REDIRECTS):
            response = self.session.get(
                url, headers=headers, stream=True, timeout=self.timeout_s, allow_redirects=False
            )
            if not response.is_redirect:
                return response
            url = urljoin(url, response.headers["location"])
            response.close()
            try:
                require_allowed(url, loopback=local)
            except SettingsInvalid as error:
                raise self.failed(
                    f"the server leads to an address that isn't https ({urlsplit(url).netloc})"
                ) from error
        raise self.failed("the server redirects without end")

    def _begin(self, response: requests.Response, part: BinaryIO) -> int | None:
        """Position the part file at the start of the response; returns the whole file's length, None if unknown."""
        status = response.status_code
        if status == 416:
            total = _range_total(response)
            if total is not None and total == self.done_bytes:
                return total  # everything had come already
            self._restart(part)
            raise Broken("the server can't go on from there")
        if status == 206:
            start, total = _range_start(response), _range_total(response)
            if start != self.done_bytes:
                self._restart(part)
                raise Broken("the server sent another range than was asked for")
            self.resumed = True
            self.tell(FetchEvent("resuming", self.done_bytes, total, f"going on at {self.done_bytes:,} bytes"))
            return total
        if status == 200:
            if self.done_bytes:
                self._restart(part)
                self.tell(FetchEvent("restarting", 0, None, "the server starts from the beginning"))
            self._write_etag(response.headers.get("ETag", ""))
            length = response.headers.get("Content-Length", "")
            encoded = response.headers.get("Content-Encoding", "identity") != "identity"
            return int(length) if length.isdigit() and not encoded else None
        if status in (408, 425, 429) or status >= 500:
            raise Broken(f"the server answered {status} {response.reason}".rstrip())
        raise self.failed(f"the server answered {status} {response.reason}".rstrip())

    def _receive(self, response: requests.Response, part: BinaryIO, total: int | None) -> None:
        most = int(self.variant.megabytes * 4e6) + 16_000_000
        part.seek(self.done_bytes)
        for block in response.iter_content(_BLOCK):
            part.write(block)
            part.flush()
            self.done_bytes += len(block)
            self.tell(FetchEvent("downloading", self.done_bytes, total))
            if self.done_bytes > most:
                self._discard()
                raise self.failed(f"the server sent more than {most / 1e6:.0f} MB, so it isn't the published file")
        if total is not None and self.done_bytes < total:
            raise Broken(f"the connection broke at {self.done_bytes:,} of {total:,} bytes")

    def require_right(self, part: BinaryIO) -> None:
        """Raise unless the published file has come: Broken where pieces of two downloads may be mixed, so that it is
        begun afresh; else DownloadFailed. What came is deleted either way."""
        part.flush()
        size = self.done_bytes
        self.tell(FetchEvent("checking", size, size, "checking the content"))
        found = hash_file(self.part).git_blob_id
        if found == self.variant.git_blob_id:
            return
        if self.resumed:
            self._restart(part)
            raise Broken("the pieces don't make the published file")
        self._discard()
        raise self.failed(
            f"what came isn't the published file ({size:,} bytes, git blob id {found}, expected "
            f"{self.variant.git_blob_id}); it was deleted"
        )

    def _restart(self, part: BinaryIO) -> None:
        part.seek(0)
        part.truncate()
        self.done_bytes = 0
        self.resumed = False
        self.etag_path.unlink(missing_ok=True)

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.etag_path.unlink(missing_ok=True)

    def _read_etag(self) -> str:
        try:
            return self.etag_path.read_text(encoding="ascii")
        except (FileNotFoundError, UnicodeDecodeError):
            return ""

    def _write_etag(self, etag: str) -> None:
        # A weak one doesn't promise equal bytes, so it can't guard a range.
        if etag.startswith('"') and etag.isascii() and etag.isprintable():
            self.etag_path.write_text(etag, encoding="ascii")
        else:
            self.etag_path.unlink(missing_ok=True)

    def failed(self, because: str) -> DownloadFailed:
        kept = ""
        if self.done_bytes and self.part.exists():
            kept = f" {self.done_bytes:,} bytes are kept: run it again to go on."
        return DownloadFailed(
            f"{self.variant.file_name} couldn't be downloaded: {because.rstrip('.')}.{kept}",
            f"Or download {self.url} in a browser and save it as {self.target} "
            f"(expected git blob id {self.variant.git_blob_id}).",
        )


def require_allowed(url: str, *, loopback: bool) -> None:
    if urlsplit(url).scheme == "https" or (loopback and _is_loopback(url)):
        return
    raise SettingsInvalid(f"Weights are fetched over https only, not from {url}.", "Use an https address.")


def _is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


def _range_start(response: requests.Response) -> int | None:
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    start = rest.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdigit() else None


def _range_total(response: requests.Response) -> int | None:
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def reason(error: BaseException) -> str:
    """A network error in a few words, without the library's nested objects."""
    import requests

    text = str(error)
    for words, plain in (
        (
            ("Name or service not known", "NameResolutionError", "getaddrinfo"),
            "the server's name isn't known (offline?)",
        ),
        (("Connection refused",), "the connection was refused"),
        (("Network is unreachable", "No route to host"), "the network can't be reached (offline?)"),
        (("IncompleteRead", "Connection broken", "RemoteDisconnected", "reset by peer"), "the connection broke"),
        (("CERTIFICATE_VERIFY_FAILED",), "the server's certificate isn't trusted"),
    ):
        if any(word in text for word in words):
            return plain
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy doesn't answer"
    if isinstance(error, requests.Timeout):
        return "the server took too long"
    return f"no connection ({type(error).__name__})"
