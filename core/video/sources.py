"""Video sources: a file, a camera on this machine, or a network stream, read through FFmpeg (PyAV).

A file is read frame by frame. A camera and a stream don't wait: they are read on their own thread, and a caller
gets the newest frame; a dropped one is reconnected, with increasing delays.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from core.access.actor import allowed
from core.access.places import require_host
from core.access.roles import Permission
from core.errors import CoreError

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

Kind = Literal["file", "camera", "stream"]

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "tcp", "udp", "rtp", "srt")
"""What a stream's address may begin with. FFmpeg's other protocols read files and run programs."""

_STREAM_PROTOCOLS = "rtsp,rtsps,rtp,rtmp,rtmps,http,https,httpproxy,tcp,udp,tls,srt,crypto,data"
_FORMATS = (
    "mov,mp4,3gp,matroska,webm,avi,flv,asf,mpeg,mpegts,ogg,mjpeg,yuv4mpegpipe,gif,apng,m4v,mpegvideo,h264,hevc,av1,obu,ivf,"
    "nut,mxf,dv"
)
_STREAM_FORMATS = f"{_FORMATS},rtsp,sdp,rtp,mpjpeg,live_flv,hls,mp3,aac"
"""By FFmpeg's names, whatever a file is called: its other formats (ffconcat, playlists, patterns of file names) name
further files, which would be read."""
OPEN_S, READ_S = 10.0, 8.0
"""How long connecting may take, and the next piece of a stream."""
_NAMING_OTHERS = {"hls", "sdp"}
"""Formats of streams that name further addresses."""

MAX_SIDE_PX = 8192


class SourceUnusable(CoreError):
    """A video file, camera or stream that can't be read."""

    help_topic = "video"


@dataclass(frozen=True, eq=False)
class Frame:
    """`rgb` is uint8 (H, W, 3), upright. `at`: seconds since the source's first frame."""

    rgb: NDArray[np.uint8]
    at: float


@dataclass(frozen=True)
class Source:
    """A video source by its address: a path, "/dev/video0" or a number for a camera, or a URL of a stream."""

    address: str
    kind: Kind

    @property
    def shown(self) -> str:
        """The address without a password, to be shown and logged; a file by its name alone."""
        if self.kind == "file":
            return Path(self.address).name
        return without_secret(self.address) if self.kind == "stream" else self.address

    @property
    def live(self) -> bool:
        """Whether frames arrive in real time, read or not: a camera or a stream."""
        return self.kind != "file"


def source_of(text: str) -> Source:
    """Parse an argument as a source. Only checks whether a file or device exists. Raises SourceUnusable."""
    text = text.strip()
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://", text)
    if scheme is not None:
        if scheme[1].lower() not in SCHEMES:
            raise SourceUnusable(
                f"A stream's address can't begin with {scheme[1]}://.", f"It begins with {', '.join(SCHEMES[:4])} ..."
            )
        if not urlsplit(text).hostname:
            raise SourceUnusable("The stream's address has no host.", "Write it as rtsp://host:554/path.")
        return Source(text, "stream")
    if text.isdigit():
        text = f"/dev/video{text}"
    if text.startswith("/dev/"):
        if not Path(text).exists():
            raise SourceUnusable(f"There is no camera at {text}.", "Connect it, or choose another number.")
        return Source(text, "camera")
    path = Path(text).expanduser()
    if not text or not path.exists():
        raise SourceUnusable(f"There is no file {text or '(empty)'}.", "Check the path; a stream begins with rtsp://.")
    if not path.is_file():
        raise SourceUnusable(f"{path.name or text} isn't an ordinary file.", "Choose a video file.")
    return Source(str(path.resolve()), "file")


def without_secret(address: str) -> str:
    """A URL with its password, and whatever its query holds, left out."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    user = parts.username
    return urlunsplit((parts.scheme, f"{user}:...@{host}" if user else host, parts.path, "", ""))


def has_secret(address: str) -> bool:
    return without_secret(address) != address


def open_container(source: Source, options: dict[str, str] | None = None) -> InputContainer:
    """The source opened by FFmpeg, with limits on time and on what it may read. Raises SourceUnusable, NotAllowed."""
    import av

    try:
        if source.kind == "file":
            container = av.open(
                source.address, options={"protocol_whitelist": "file,crypto,data", "format_whitelist": _FORMATS}
            )
        elif source.kind == "camera":
            container = av.open(source.address, format="avfoundation" if sys.platform == "darwin" else "v4l2")
        else:
            given = {"protocol_whitelist": _STREAM_PROTOCOLS, "format_whitelist": _STREAM_FORMATS, **(options or {})}
            if not allowed(Permission.ANYWHERE):
                require_host(source.address)  # again at each connection: a name may lead elsewhere by now
                own = ",".join(name for name in _STREAM_FORMATS.split(",") if name not in _NAMING_OTHERS)
                given |= {"format_whitelist": own, "max_redirects": "0"}
            if source.address.lower().startswith("rtsp"):
                given = {"rtsp_transport": "tcp", **given}
            container = av.open(source.address, options=given, timeout=(OPEN_S, READ_S))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _unusable(source, error) from error
    if not container.streams.video:
        container.close()
        raise SourceUnusable(f"{source.shown} contains no video.", "Choose a file or stream with pictures.")
    side = max(container.streams.video[0].width, container.streams.video[0].height)
    if side > MAX_SIDE_PX:
        container.close()
        raise SourceUnusable(
            f"{source.shown} has {side:,} px a side; at most {MAX_SIDE_PX:,} are supported.", "Reduce it first."
        )
    return container


def decode(container: InputContainer, source: Source) -> Iterator[Frame]:
    """Every frame of an opened source; damaged ones are left out. Raises SourceUnusable when it breaks off."""
    import av

    stream = container.streams.video[0]
    stream.thread_type = "SLICE" if source.live else "AUTO"
    first: float | None = None
    last = -1.0
    rate = float(stream.average_rate or 25)
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                continue  # a damaged part: what follows may be whole
            for frame in frames:
                time_s = frame.time if frame.time is not None else last + 1 / rate
                first = time_s if first is None else first
                at = time_s - first
                if at <= last:  # streams without times, or with times that go back
                    at = last + 1 / rate
                last = at
                yield Frame(_upright(frame), at)
    except (av.FFmpegError, OSError) as error:
        raise _unusable(source, error) from error


def frames_of_file(source: Source) -> Iterator[Frame]:
    """Every frame of a file, in order. Raises SourceUnusable."""
    container = open_container(source)
    try:
        none = True
        for frame in decode(container, source):
            none = False
            yield frame
        if none:
            raise SourceUnusable(f"{source.shown} contains no readable picture.", "Export it again, as MP4.")
    finally:
        container.close()


def length_s(source: Source) -> float | None:
    """How long a file plays; None where it doesn't say, and for what is live. Raises SourceUnusable."""
    if source.live:
        return None
    container = open_container(source)
    try:
        return container.duration / 1_000_000 if container.duration and container.duration > 0 else None
    finally:
        container.close()


def _upright(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """As RGB, turned as a telephone says that it was held."""
    rgb = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    turns = round(float(getattr(frame, "rotation", 0) or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


_REASONS: tuple[tuple[str, str, str], ...] = (
    ("HTTPUnauthorizedError", "wants a name and a password, or refuses those given", "Write them into its address."),
    ("HTTPForbiddenError", "refuses the request", "Ask who runs the camera."),
    ("HTTPNotFoundError", "knows no such path", "Check the part of the address after the host."),
    ("ConnectionRefusedError", "doesn't answer at that port", "Check address and port, and that the camera is on."),
    ("TimeoutError", "doesn't answer in time", "Check the network, and that the camera is on."),
    ("ExitError", "doesn't answer in time", "Check the network, and that the camera is on."),
    ("PermissionError", "may not be opened by this program", "Change its permissions."),
    ("InvalidDataError", "isn't video that can be read, or is damaged", "Try to play it in another program."),
    ("ArgumentError", "isn't video in a format that is read", "Export it as MP4."),
    ("EOFError", "has ended", "Check that the camera still sends."),
)


def _unusable(source: Source, error: BaseException) -> SourceUnusable:
    """The error for a failure of FFmpeg, whose own text may contain the address with its password and isn't shown."""
    for kind in type(error).__mro__:
        for name, what, next_step in _REASONS:
            if kind.__name__ == name:
                return SourceUnusable(f"{source.shown} {what}.", next_step)
    return SourceUnusable(f"{source.shown} can't be read ({type(error).__name__}).", "Check the address.")
