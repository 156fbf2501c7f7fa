"""Every reader of a file that somebody else may have made, fed with damaged ones: an answer or a CoreError.

EDGEFACE_FUZZ sets how many files each reader gets (default 25); `EDGEFACE_FUZZ=5000` is for a night.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from core.access import gate
from core.access.provider import role_of_claims
from core.access.roles import Role
from core.dataset.manifest import make_frame, manifest_bytes, read_dataset, read_info
from core.encoder.archive import read_archive
from core.errors import CoreError
from core.evaluation.pairs import read_pairs
from core.gallery import Gallery, NewTemplate, Space
from core.gallery.archive_format import read_gallery_archive
from core.gallery.backup import inspect_backup, restore
from core.gallery.bulk import plan_from_csv
from core.gallery.embeddings_pt import read_embeddings_pt
from core.gallery.keys import read_key_file
from core.gallery.transfer import export_bytes
from core.images import read_image
from core.jobs.events import read_events
from core.jobs.state import read_state
from core.models.active_file import read_active
from core.models.files import read_metadata
from core.models.header import read_card
from core.privacy.residue_scan import find_traces
from core.privacy.retention import read_retention
from core.settings import load_settings

FILES = int(os.environ.get("EDGEFACE_FUZZ", "10"))
LONGEST_S = 30.0
"""Far beyond what any reader needs: for one that hangs, not for one on a busy machine."""
MOST_BYTES = 1_000_000_000

SPACE = Space("x", "a" * 64, "bicubic", False)


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 40, 3), dtype=np.uint8)).save(buffer, format=kind)
    return buffer.getvalue()


def people() -> Gallery:
    gallery = Gallery.open()
    gallery.enrol("Ada", [NewTemplate(np.eye(512, dtype=np.float32)[0], "hr", 112.0, crop=picture("PNG"))], space=SPACE)
    return gallery


def portable() -> bytes:
    with people() as gallery:
        return export_bytes(gallery)[0]


def weights(kind: str) -> bytes:
    import torch
    from safetensors.torch import save

    tensors = {"a": torch.zeros(3, 4), "b": torch.ones(2, dtype=torch.float16)}
    if kind == "safetensors":
        return save(tensors, metadata={"figures": "{}"})
    buffer = io.BytesIO()
    torch.save({"state_dict": tensors, "epoch": 3}, buffer)
    return buffer.getvalue()


def database(folder: Path) -> bytes:
    path = folder / "seed.db"
    with Gallery.open(path) as gallery:
        gallery.enrol("Ada", [NewTemplate(np.eye(512, dtype=np.float32)[0], "hr", 112.0)], space=SPACE)
    return path.read_bytes()


def manifest() -> bytes:
    row = {"path": "hr/a.png", "identity": "Ada", "split": "train", "kind": "hr", "pair": "a", "sha256": "0" * 64}
    return manifest_bytes(make_frame([row]))


def in_data_dir(name: str, read: Callable[[], object]) -> Callable[[Path], object]:
    def reader(path: Path) -> object:
        target = load_settings().data_dir / name
        target.write_bytes(path.read_bytes())
        return read()

    return reader


def restored(path: Path) -> object:
    inspect_backup(path)
    with Gallery.open(path.with_name("into.db")) as gallery:
        return restore(gallery, path)


def run_folder(path: Path) -> object:
    (path.parent / "state.json").write_bytes(path.read_bytes())
    return read_state(path.parent)


def set_folder(name: str, read: Callable[[Path], object]) -> Callable[[Path], object]:
    def reader(path: Path) -> object:
        (path.parent / name).write_bytes(path.read_bytes())
        return read(path.parent)

    return reader


def searched(path: Path) -> object:
    return find_traces([path], ["Ada Lovelace"], [b"\1\2" * 1024], home=path.parent)


def packed(folder: Path, kind: str) -> bytes:
    """An archive with a table, an array of names and a database in it."""
    file, array = io.BytesIO(), io.BytesIO()
    np.savez_compressed(array, names=np.array(["Ada Lovelace", "Bob"]))
    members = {"a.csv": b"Ada Lovelace,1\n" * 100, "b.npz": array.getvalue(), "c.db": database(folder)}
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return file.getvalue()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def judged(path: Path) -> object:
    """A request's headers, a line each: whatever they are, nobody is let in who isn't on this machine."""
    lines = [line.partition(":") for line in path.read_text(encoding="latin-1").split("\n")]
    headers = [(name.strip().lower(), value.strip()) for name, _, value in lines]
    refusal = gate.refusal_without_accounts(headers, bound="127.0.0.1", bind_excused=False)
    hosts = [value for name, value in headers if name == "host"]
    if not refusal:
        assert len(hosts) == 1 and gate.is_loopback(gate.without_port(hosts[0]))
        assert not any(name.startswith("x-forwarded") or name in ("forwarded", "via") for name, _ in headers)
        assert all(value.lower().rstrip("/").endswith(hosts[0].lower()) for name, value in headers if name == "origin")
    assert gate.browser_of(headers, "visitor") in (
        "",
        *(part for _, value in headers for part in re.findall(r"[\w-]{43}", value)),
    )
    return refusal


def claims(path: Path) -> object:
    """What an identity provider says of somebody."""
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    name, role = role_of_claims(said, {"admins": ["ada@example.org"], "viewers": [{"iss": "https://id", "sub": "7"}]})
    if role is Role.ADMIN:
        assert said["email_verified"] is True and said["email"].strip().casefold() == "ada@example.org"
    return name, role


REQUEST = b'Host: localhost:8501\nOrigin: http://localhost:8501\nCookie: theme={"a": 1}; visitor=' + b"a" * 43
CLAIMS = b'{"iss": "https://id", "sub": "7", "email": "ada@example.org", "email_verified": true}'
CSV = b'path;identity\nada.jpg;Ada\n=1+1.jpg;"=cmd()"\n'
PAIRS = b"1\t1\nAda\t1\t2\nAda\t1\tBob\t1\n"
INFO = b'{"version": 1, "name": "x", "counts": {}}'
STATE = b'{"status": "running", "pid": 1, "process_start": 2.0, "started_at": "2030-01-01T00:00:00+00:00"}'
ACTIVE = b'{"retention": {"crops_days": 90}, "encoder": {"path": "x", "sha256": "y"}}'

READERS: dict[str, tuple[Callable[[Path], bytes], Callable[[Path], object]]] = {
    "image.jpg": (lambda _: picture("JPEG"), read_image),
    "image.png": (lambda _: picture("PNG"), read_image),
    "image.webp": (lambda _: picture("WEBP"), read_image),
    "image.gif": (lambda _: picture("GIF"), read_image),
    "image.tiff": (lambda _: picture("TIFF"), read_image),
    "weights.pt": (lambda _: weights("pt"), read_archive),
    "weights.safetensors": (lambda _: weights("safetensors"), read_archive),
    "header.safetensors": (lambda _: weights("safetensors"), lambda path: read_card(read_metadata(path))),
    "people.efgallery": (lambda _: portable(), read_gallery_archive),
    "gallery.db": (database, restored),
    "people.pt": (lambda _: weights("pt"), read_embeddings_pt),
    "people.csv": (lambda _: CSV, plan_from_csv),
    "pairs.txt": (lambda _: PAIRS, read_pairs),
    "manifest.csv": (lambda _: manifest(), set_folder("manifest.csv", read_dataset)),
    "dataset.json": (lambda _: INFO, set_folder("dataset.json", read_info)),
    "events.jsonl": (lambda _: b'{"at": "2030-01-01T00:00:00+00:00", "kind": "progress", "share": 0.5}\n', read_events),
    "run.json": (lambda _: STATE, run_folder),
    "active.json": (lambda _: ACTIVE, in_data_dir("active.json", lambda: read_active(load_settings()))),
    "retention.json": (lambda _: ACTIVE, in_data_dir("active.json", lambda: read_retention(load_settings()))),
    "searched.zip": (lambda folder: packed(folder, "zip"), searched),
    "searched.tar.gz": (lambda folder: packed(folder, "tar"), searched),
    "searched.db": (database, searched),
    "request.headers": (lambda _: REQUEST, judged),
    "claims.json": (lambda _: CLAIMS, claims),
    "gallery.key": (lambda _: b"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n", read_key_file),
}

damage = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.floats(0, 1), st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.binary(min_size=1, max_size=40)),
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(b"")),
        st.tuples(st.just("repeat"), st.floats(0, 1), st.just(b"")),
        st.tuples(st.just("number"), st.floats(0, 1), st.sampled_from([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 8])),
        st.tuples(
            st.just("text"),
            st.floats(0, 1),
            st.sampled_from(
                [b"1e999", b"-1", b"NaN", b"null", b"[" * 5000, b"../" * 9, "\u202e".encode(), b"\xff\xfe"]
            ),
        ),
    ),
    min_size=1,
    max_size=4,
)


def damaged(content: bytes, steps: list[tuple[str, float, bytes]]) -> bytes:
    for how, where, what in steps:
        at = int(where * len(content))
        if how == "cut":
            content = content[:at]
        elif how == "repeat":
            content = content + content[at:]
        elif how in ("insert", "text"):
            content = content[:at] + what + content[at:]
        else:
            content = content[:at] + what + content[at + len(what) :]
    return content


def asked(read: Callable[[Path], object], path: Path) -> None:
    """An answer, or an error for the user with what to do next; in time, and without a fault's own exception."""
    started = time.monotonic()
    try:
        read(path)
    except CoreError as error:
        assert error.what and len(str(error)) < 20_000
    assert time.monotonic() - started < LONGEST_S


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused(name, tmp_path):
    make, read = READERS[name]
    whole, number = make(tmp_path), iter(range(10**9))

    @settings(deadline=None, max_examples=FILES, suppress_health_check=list(HealthCheck), database=None)
    @given(damage)
    def feed(steps: list[tuple[str, float, bytes]]) -> None:
        folder = tmp_path / str(next(number))
        folder.mkdir()
        (folder / name).write_bytes(damaged(whole, steps))
        asked(read, folder / name)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    feed()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_BYTES


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_anything_is_read_or_refused(name, tmp_path):
    _, read = READERS[name]
    for number, content in enumerate(
        (b"", b"\0", b"\xff" * 70_000, b"[" * 100_000, b"X\0#\x04", "𝕏\u202e\u0000".encode() * 3000)
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(content)
        asked(read, folder / name)


def test_an_export_that_names_other_places_writes_nowhere(tmp_path):
    """Its members are read by the names that the manifest gives; nothing is ever unpacked."""
    source, target = zipfile.ZipFile(io.BytesIO(portable())), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == "manifest.json":
                said = json.loads(content)
                said["members"] = {
                    f"../../{key}" if key.startswith("crops") else key: value for key, value in said["members"].items()
                }
                content = json.dumps(said).encode()
            archive.writestr(
                f"../../{entry.filename}" if entry.filename.startswith("crops") else entry.filename, content
            )
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CoreError):
        read_gallery_archive(target.getvalue())
    assert sorted(tmp_path.rglob("*")) == before
