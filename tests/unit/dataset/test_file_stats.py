"""Files are measured once; what can't be read is a row's problem, not the end."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset.duplicates import groups, near_pairs
from core.dataset.file_stats import decode, measure
from core.dataset.manifest import make_frame
from core.dataset.phash import phash
from core.images import encode_image, read_image, resize, sha256_of
from core.jobs.context import Hooks
from core.jobs.errors import JobStopped


def face(seed: int, size: int = 112) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(20, 235, (8, 8, 3)).astype(np.uint8)
    return resize(coarse, size)


def table(root: Path, **files: bytes):
    for name, content in files.items():
        (root / name).write_bytes(content)
    return make_frame([{"path": name, "identity": "007", "kind": "hr", "pair": name} for name in files])


def test_a_file_is_measured(tmp_path: Path) -> None:
    content = encode_image(face(1), "png")
    filled, amiss = measure(tmp_path, table(tmp_path, a=content))
    assert filled.loc[0, "sha256"] == sha256_of(content) and filled.loc[0, "phash"] == phash(face(1))
    assert filled.loc[0, "size_px"] == 112 and amiss.empty


def test_a_path_of_its_own_is_measured_where_it_leads(tmp_path: Path) -> None:
    frame = table(tmp_path, a=encode_image(face(1), "png"))
    (tmp_path / "lists").mkdir()
    for path in (str(tmp_path / "a"), "../a"):
        filled, amiss = measure(tmp_path / "lists", frame.assign(path=path))
        assert filled.loc[0, "size_px"] == 112 and amiss.empty, path


def test_what_cannot_be_read_or_is_not_square_is_listed(tmp_path: Path) -> None:
    png = encode_image(face(1), "png")
    frame = table(tmp_path, good=png, cut=png[:900], empty=b"", text=b"a letter", odd=encode_image(face(2)[:90], "png"))
    frame = make_frame([*frame.to_dict("records"), {"path": "gone", "identity": "007", "kind": "hr"}])
    filled, amiss = measure(tmp_path, frame)
    assert list(amiss["path"]) == ["cut", "empty", "text", "odd", "gone"]
    assert "112 x 90 px isn't square" in amiss.set_index("path").loc["odd", "problem"]
    assert (filled.loc[filled["path"] == "cut", "sha256"] == "").all()


def test_a_vlr_image_gets_no_hash_and_one_that_is_cut_off_or_changed_is_found(tmp_path: Path) -> None:
    png = encode_image(face(1, 32), "png")
    changed = bytearray(png)
    changed[len(png) // 2] ^= 1
    files = {"good": png, "cut": png[:-30], "changed": bytes(changed), "webp": encode_image(face(2, 24))}
    filled, amiss = measure(tmp_path, table(tmp_path, **files).assign(kind="vlr"))
    assert filled.set_index("path")["size_px"].to_dict() == {"good": 32, "cut": 0, "changed": 0, "webp": 24}
    assert filled["sha256"].tolist()[0] == sha256_of(png) and (filled["phash"] == "").all()
    assert list(amiss["path"]) == ["cut", "changed"]
    again, _ = measure(tmp_path / "gone", filled[filled["size_px"] > 0])
    assert again.equals(filled[filled["size_px"] > 0])


def test_rows_that_are_measured_already_are_not_read_again(tmp_path: Path) -> None:
    frame = make_frame(
        [{"path": "gone.png", "identity": "007", "kind": "hr", "size_px": 112, "sha256": "0" * 64, "phash": "0" * 16}]
    )
    filled, amiss = measure(tmp_path, frame)
    assert filled.equals(frame) and amiss.empty


def test_it_stops_when_asked(tmp_path: Path) -> None:
    with pytest.raises(JobStopped):
        measure(tmp_path, table(tmp_path, a=encode_image(face(1), "png")), hooks=Hooks(should_stop=lambda: True))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "I;16"])
def test_the_quick_decoder_gives_what_read_image_gives(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    picture = Image.fromarray(face(3))
    deep = Image.fromarray(face(3)[..., 0].astype(np.uint16) * 257)
    (deep if mode == "I;16" else picture.convert(mode)).save(path)
    assert np.array_equal(decode(path.read_bytes(), "a.png"), read_image(path))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tRNS", struct.pack(">HHH", *(int(v) for v in face(3)[0, 0]))),
        chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"),
        chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'),
        chunk(b"gAMA", struct.pack(">I", 100_000)),
    ],
    ids=["transparency", "exif", "xmp", "gamma"],
)
def test_what_a_png_says_beside_its_pixels_is_heeded_as_read_image_does(extra: bytes) -> None:
    png = encode_image(face(3), "png")
    content = png[:33] + extra + png[33:]
    assert np.array_equal(decode(content, "a.png"), read_image(content))


def test_same_bytes_and_re_encoded_pictures_are_found_and_other_pictures_are_not(tmp_path: Path) -> None:
    first = encode_image(face(1), "png")
    files = {"a": first, "b": first, "c": encode_image(face(1), "webp", quality=40)}
    files |= {f"other{seed}": encode_image(face(seed), "png") for seed in range(2, 30)}
    filled, _ = measure(tmp_path, table(tmp_path, **files))
    found = near_pairs(tmp_path, filled)
    assert sorted(found.itertuples(index=False, name=None)) == [(0, 1, True), (0, 2, False), (1, 2, False)]


def test_groups_join_through_others() -> None:
    import pandas as pd

    joined = groups([1, 2, 3, 4, 5], pd.DataFrame({"a": [4, 2], "b": [5, 4]}))
    assert joined == {1: 1, 2: 2, 3: 3, 4: 2, 5: 2}
