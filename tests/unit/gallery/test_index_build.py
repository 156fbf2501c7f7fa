"""An index is the same however it came about: read whole, brought up to date piece by piece, plain or encrypted."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.gallery import Gallery, GalleryUnreadable, NewTemplate, Space
from core.gallery.encryption import encrypt
from core.gallery.index_build import build_index
from core.gallery.keys import new_key
from core.gallery.match import Index, mean_of, weights_of
from tests.as_owner import AS_OWNER

TINY = Space("tiny", "t" * 64, "bicubic", False, dim=8)


def template(seed: int, size: int | None) -> NewTemplate:
    vector = np.random.default_rng(seed).normal(size=8)
    vector /= np.linalg.norm(vector)
    measured = None if seed % 3 == 0 else seed % 10 / 10
    kind = "hr" if size is None else "sr"
    return NewTemplate(vector.astype(np.float32), kind, 50.0, size, recognisability=measured)


def same(a: Index, b: Index) -> bool:
    pairs = (
        (getattr(a, name), getattr(b, name)) for name in ("everyone", "revisions", "ids", "starts", "sizes", "matrix")
    )
    return a.names == b.names and all(np.array_equal(one, other) for one, other in pairs)


steps = st.lists(
    st.tuples(
        st.sampled_from(["enrol", "add", "remove", "remove template", "rename", "look"]),
        st.integers(0, 5),
        st.sampled_from([None, 16, 32]),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_brought_up_to_date_is_read_anew(steps):
    with Gallery.open(":memory:") as gallery:
        for number, (what, who, size) in enumerate(steps):
            known = gallery.find(f"p{who}")
            if what == "enrol" and known is None:
                gallery.enrol(f"p{who}", [template(number, None), template(50 + number, size)], space=TINY)
            elif what == "add" and known is not None:
                gallery.add_templates(known.id, [template(number, size)], space=TINY)
            elif what == "remove" and known is not None:
                gallery.remove(known.id)
            elif what == "remove template" and known is not None:
                if stored := gallery.templates(known.id):
                    gallery.remove_template(stored[0].id)
            elif what == "rename" and known is not None and gallery.find(f"p{5 - who}") is None:
                gallery.rename(known.id, f"p{5 - who}")
            elif what == "look":
                gallery.index(TINY)
        kept = gallery.index(TINY)
        with gallery.database.reading() as connection:
            assert same(kept, build_index(connection, TINY))
        for position, number in enumerate(kept.ids.tolist()):
            stored = gallery.templates(number, space=TINY)
            vectors, groups = kept.means(position)
            assert groups == sorted({(t.kind, t.size_px) for t in stored}, key=lambda group: group[1] or 0)
            for vector, group in zip(vectors, groups, strict=True):
                some = [t for t in stored if (t.kind, t.size_px) == group]
                weights = weights_of(np.array([t.recognisability for t in some], dtype=float))
                by_hand = mean_of([t.vector for t in some], weights)
                assert vector == pytest.approx(by_hand, abs=1e-6)


def test_encryption_changes_nothing_that_is_found(path, space, person, templates):
    key = new_key()
    with Gallery.open(path, keys=lambda: key) as gallery, gallery.database.reading() as connection:
        assert connection.cipher.fingerprint, "a new gallery with a key is encrypted"
    path.unlink()
    with Gallery.open(path, keys=lambda: None) as gallery:
        for number in range(4):
            gallery.enrol(f"p{number}", templates(person(number)) + templates(person(number), size_px=24), space=space)
        plain = gallery.index(space)
    with Gallery.open(path, keys=lambda: key) as gallery:
        before = gallery.index(space)
        encrypt(gallery, key)
        assert same(gallery.index(space), plain)
        assert same(before, plain)
        with Gallery.open(path, keys=lambda: key) as again:
            assert same(again.index(space), plain)


def test_another_process_s_change_is_seen_at_once(path, space, person, templates):
    code = (
        "import sys; from core.gallery import Gallery\n"
        "with Gallery.open(sys.argv[1]) as gallery: gallery.rename('Ada', 'Augusta')"
    )
    with Gallery.open(path) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
        before = gallery.index(space)
        assert gallery.index(space) is before
        subprocess.run([sys.executable, "-c", AS_OWNER + code, str(path)], check=True, cwd=Path(__file__).parents[3])
        assert gallery.search(person(1), space)[0][0].name == "Augusta"


def test_a_file_put_in_its_place_is_seen_at_once(tmp_path, space, person, templates):
    here, other = tmp_path / "gallery.db", tmp_path / "other.db"
    with Gallery.open(other) as made:
        made.enrol("Bob", templates(person(1)), space=space)
    with Gallery.open(here) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
        assert gallery.search(person(1), space)[0][0].name == "Ada"
        other.replace(here)
        assert gallery.search(person(1), space)[0][0].name == "Bob"


def test_whoever_was_removed_is_found_nowhere_and_held_nowhere(path, space, person, templates):
    with Gallery.open(path) as gallery, Gallery.open(path) as there:
        for number in range(3):
            gallery.enrol(f"p{number}", templates(person(number)), space=space)
        there.search(person(1), space)
        gallery.remove("p1")
        for each in (gallery, there):
            assert {candidate.name for candidate in each.search(person(1)[0], space)[0]} == {"p0", "p2"}
            gone = mean_of(person(1))
            assert float((each.index(space).matrix @ gone).max()) < 0.9


@pytest.mark.parametrize("blob", [b"", b"\x00" * 2048, b"\x00" * 2044, b"\xff" * 2048])
def test_a_vector_that_cannot_be_one_is_named_damage(path, space, person, templates, blob):
    with Gallery.open(path) as gallery:
        for number in range(3):
            gallery.enrol(f"p{number}", templates(person(number)), space=space)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE template SET vector = ? WHERE id = 5", (blob,))
    with Gallery.open(path) as gallery, pytest.raises(GalleryUnreadable, match="isn't 512 numbers of norm 1"):
        gallery.search(person(1), space)
