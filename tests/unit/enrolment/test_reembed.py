"""Everybody's templates anew from their stored crops: the same vectors as enrolling again, and kill -9 safe."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reembed_worker import pipeline_of

from core.enrolment.drafts import prepare_enrolment
from core.enrolment.enrol import enrol
from core.enrolment.reembed import reembed
from core.gallery.records import NewTemplate, Space
from core.gallery.store import Gallery
from core.images import encode_image
from core.jobs.errors import JobStopped
from core.pipeline import Pipeline
from core.sr.trial import trial_faces
from core.sr.upscale import load_upscaler
from tests.made_weights import save_dsr

OLD = Space("older", "c" * 64, "bicubic", False)


def unit(seed: int) -> np.ndarray:
    row = np.random.default_rng(seed).normal(size=512)
    return (row / np.linalg.norm(row)).astype(np.float32)


def fill(gallery: Gallery, people: int, photographs: int = 3, *, size_px: int | None = None) -> None:
    """Real small faces as crops, with vectors of weights that nobody has any more."""
    faces = trial_faces()
    for number in range(people):
        templates = [
            NewTemplate(
                unit(number * 10 + n),
                "hr" if size_px is None else "sr",
                float(size_px or 112),
                size_px,
                f"{number}-{n}",
                encode_image(faces[(number * photographs + n) % len(faces)]),
                "made up",
            )
            for n in range(photographs)
        ]
        gallery.enrol(f"Person {number}", templates, space=OLD)


def test_the_new_template_is_what_enrolling_again_would_give(make_pipeline, portrait) -> None:
    """But for the crop's compression: cosine 0.98 and more, random weights being rougher than trained ones."""
    first = make_pipeline()
    enrol(first, "Eileen", prepare_enrolment(first, [portrait]))
    [stored] = first.gallery.store.templates("Eileen")
    older = Pipeline(first.config, first.encoder, first.upscaler, first.detector, Gallery.open(":memory:"))
    assert stored.recognisability == first.find(portrait)[0].quality.recognisability
    moved = replace(stored.as_new(), vector=unit(1), recognisability=0.62)
    older.gallery.store.enrol("Eileen", [moved], space=OLD)
    done = reembed(older, older.gallery.store)
    assert (done.made, done.removed, done.enrol_again) == (1, 1, ())
    assert done.text == "1 template made, 1 of other weights removed."
    [remade] = older.gallery.store.templates("Eileen")
    assert remade.space == stored.space and (remade.crop, remade.source) == (stored.crop, stored.source)
    assert remade.recognisability == 0.62
    assert float(remade.vector @ stored.vector) > 0.98
    assert older.run(portrait).identity == "Eileen"


def test_small_faces_go_through_the_upscaler_in_use_where_it_is_routed(make_pipeline, tmp_path) -> None:
    base = make_pipeline()
    upscaler = load_upscaler(save_dsr(tmp_path / "d.safetensors", bicubic_px=(24,)))
    crop = encode_image(trial_faces()[0], "png")
    pipeline = Pipeline(base.config, base.encoder, upscaler, base.detector, Gallery.open(":memory:"))
    for size in (16, 24):
        template = NewTemplate(unit(size), "sr", float(size), size, f"{size}", crop)
        pipeline.gallery.store.enrol(f"At {size}", [template], space=OLD)
    assert reembed(pipeline, pipeline.gallery.store).made == 2
    small = upscaler.super_resolve([trial_faces()[0]])[0]  # as it was stored: cut at 112 px in one step
    expected = pipeline.encoder.encode([small, trial_faces()[0]])
    for name, vector, who in zip(("At 16", "At 24"), expected, (upscaler.id, "bicubic"), strict=True):
        [template] = pipeline.gallery.store.templates(name)
        assert template.space.upscaler == who
        assert float(template.vector @ vector) == pytest.approx(1, abs=1e-4)


def test_people_without_usable_pictures_keep_theirs_and_are_told(make_pipeline) -> None:
    pipeline = make_pipeline()
    store = pipeline.gallery.store
    fill(store, 1)
    store.enrol("No picture", [NewTemplate(unit(50), "hr", 112.0, image_sha256="n")], space=OLD)
    damaged = NewTemplate(unit(51), "hr", 112.0, image_sha256="d", crop=b"RIFF\x24\x00\x00\x00WEBPVP8 not really")
    store.enrol("Damaged picture", [damaged], space=OLD)
    events: list[tuple[str, dict]] = []
    done = reembed(pipeline, store, on_event=lambda kind, **data: events.append((kind, data)))
    again = {store.identity(number).name for number in done.enrol_again}
    assert again == {"No picture", "Damaged picture"} and done.unreadable == 1
    assert (done.made, done.removed) == (3, 3) and store.size == 3
    assert all(len(store.templates(name)) == 1 for name in again)
    assert events[0] == ("plan", {"photographs": 4, "people": 2, "enrol_again": 1})
    assert events[-1][1]["done"] == 4 and events[-1][1]["share"] == 1
    assert "Person" not in str(events) and "2 to be enrolled again" in done.text


def test_the_old_ones_can_be_kept_and_a_stop_keeps_what_was_made(make_pipeline) -> None:
    pipeline = make_pipeline()
    store = pipeline.gallery.store
    fill(store, 12)  # 36 photographs: two batches
    looks: list[int] = []

    def stop_at_the_second_look() -> None:
        looks.append(1)
        if len(looks) == 2:
            raise JobStopped

    with pytest.raises(JobStopped):
        reembed(pipeline, store, check_stop=stop_at_the_second_look)
    assert len(store.names_in(OLD)) == 12 and 0 < len(store.names_in(pipeline.space)) < 12
    assert sum(person.templates for person in store.identities()) == 36 + 32
    done = reembed(pipeline, store, keep_old=True)
    assert (done.made, done.removed) == (4, 0)
    assert len(store.names_in(OLD)) == len(store.names_in(pipeline.space)) == 12


def test_killed_at_any_moment_the_gallery_is_whole_and_the_next_start_goes_on(tmp_path: Path, random_weights) -> None:
    path = tmp_path / "gallery.db"
    with Gallery.open(path) as gallery:
        fill(gallery, 8)
    command = [sys.executable, str(Path(__file__).with_name("reembed_worker.py")), str(path), str(random_weights)]
    made = 0
    for kill_after in (1, 2, 3):  # lines of progress, each a transaction of three
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(kill_after + 1):
                process.stdout.readline()
            process.kill()
        with Gallery.open(path) as gallery:
            spaces = {space.weights_sha256: (templates, people) for space, templates, people in gallery.spaces()}
            old, new = spaces.pop("c" * 64), next(iter(spaces.values()))
            assert old == (24, 8), "the old ones stay until all new ones are there"
            assert new[0] >= made + 3 * kill_after, "what was made before the kill is kept"
            made = new[0]
            with gallery.database.reading() as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    pipeline = pipeline_of(path, random_weights)
    with pipeline.gallery.store as gallery:
        done = reembed(pipeline, gallery)
        assert done.made == 24 - made and done.removed == 24 and done.enrol_again == ()
        assert [(templates, people) for _, templates, people in gallery.spaces()] == [(24, 8)]
        crops = [template.crop for template in gallery.templates("Person 3")]
        vectors = pipeline.encoder.encode([trial_faces()[9 + n] for n in range(3)])
        assert len(crops) == 3 and all(crops)
        for template, vector in zip(gallery.templates("Person 3"), vectors, strict=True):
            assert float(template.vector @ vector) > 0.9, "each photograph's own"
