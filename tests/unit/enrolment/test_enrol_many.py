"""Many people at once leave the gallery that one at a time leaves, and one person's trouble is that person's alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from core.enrolment import bulk_enrol
from core.enrolment.bulk_enrol import detection_threads, enrol_many, prepared_groups
from core.enrolment.drafts import prepare_enrolment
from core.enrolment.enrol import EnrolOptions, enrol
from core.errors import StorageFailed
from core.gallery.store import Gallery
from core.pipeline import Pipeline, PipelineConfig, build_pipeline

pytestmark = pytest.mark.shared

PEOPLE = ("Colin_Powell", "Tony_Blair", "Hugo_Chavez", "Gerhard_Schroeder", "Hans_Blix")


@pytest.fixture(scope="module")
def weights(shared_dir: Path) -> Path:
    return shared_dir / "weights" / "edgeface_xxs_q.pt"


@pytest.fixture
def pipeline(weights: Path, tmp_path: Path) -> Pipeline:
    config = PipelineConfig(weights=weights, precision="float32", skip_dsr=True, gallery_path=tmp_path / "gallery.db")
    return build_pipeline(config)


@pytest.fixture
def plan(shared_dir: Path) -> list[tuple[str, list[Path]]]:
    images = shared_dir / "data" / "lfw" / "images"
    return [(name.replace("_", " "), [images / name / f"{name}_000{i}.jpg" for i in (1, 2)]) for name in PEOPLE]


def content(gallery: Gallery) -> list[tuple]:
    return [
        (person.name, template.kind, template.probe_px, template.image_sha256, template.crop, template.source)
        for person in gallery.identities()
        for template in gallery.templates(person.id)
    ]


@pytest.mark.parametrize("at_once", [1, 2, 16])
def test_the_gallery_is_the_one_that_one_at_a_time_leaves(pipeline, plan, at_once, monkeypatch):
    monkeypatch.setattr(bulk_enrol, "prepared_groups", lambda *each: prepared_groups(*each, at_once=at_once))
    told = []
    rows = enrol_many(pipeline, plan, on_person=lambda done, total, row: told.append((done, total, row.name)))
    assert [(row.name, row.offered, row.stored, row.error) for row in rows] == [(name, 2, 2, "") for name, _ in plan]
    assert told == [(number, len(plan), name) for number, (name, _) in enumerate(plan, start=1)]
    many, kept = pipeline.gallery.store, content(pipeline.gallery.store)
    with Gallery.open(":memory:") as alone:
        one_by_one = Pipeline(pipeline.config, pipeline.encoder, pipeline.upscaler, pipeline.detector, alone)
        findings = []
        for name, paths in plan:
            draft = prepare_enrolment(one_by_one, paths, person=name)
            findings.append([finding.text for finding in draft.findings])
            enrol(one_by_one, name, draft)
        assert kept == content(alone)
        assert [[finding.text for finding in row.findings] for row in rows] == findings
        for person in alone.identities():
            pairs = zip(many.templates(person.name), alone.templates(person.name), strict=True)
            assert all(float(a.vector @ b.vector) > 1 - 1e-5 for a, b in pairs), "batches change the last digit only"


def test_trouble_is_told_of_its_person_and_stops_nobody(pipeline, plan, tmp_path):
    letter = tmp_path / "letter.jpg"
    letter.write_text("no photograph")
    again = ("Somebody else", plan[0][1])  # the photographs of the first, of the same group
    rows = enrol_many(pipeline, [plan[0], ("Nobody", [letter]), again, ("colin powell", plan[1][1]), plan[2]])
    assert [row.stored for row in rows] == [2, 0, 0, 0, 2]
    assert rows[1].error.startswith("Nothing to enrol")
    assert rows[1].rejected == (("letter.jpg", "letter.jpg is no picture that can be read"),)
    assert rows[1].error.count("letter.jpg") == 1 and ".)" not in rows[1].error
    assert rows[1].error.endswith("Choose a JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or HEIC picture.")
    assert "Held back" in rows[2].error
    assert "Colin Powell" in rows[2].error
    assert {finding.code for finding in rows[2].findings} >= {"already_enrolled"}
    assert rows[3].error, "a name that differs only in case is taken"
    assert sorted(person.name for person in pipeline.gallery.store.identities()) == ["Colin Powell", "Hugo Chavez"]
    assert np.isclose(pipeline.gallery.search(pipeline.infer_embedding(plan[2][1][0]).numpy())[0][0].score, 1, atol=0.4)


def test_what_was_told_of_is_on_the_disk(pipeline, plan, monkeypatch):
    """Seen through another connection at the moment it is told, and still there when the next group breaks down."""
    monkeypatch.setattr(bulk_enrol, "prepared_groups", lambda *each: prepared_groups(*each, at_once=2))
    seen = []

    def tell(done: int, total: int, row: bulk_enrol.BulkRow) -> None:
        with sqlite3.connect(pipeline.gallery.store.path) as other:
            seen.append(other.execute("SELECT count(*) FROM identity").fetchone()[0])
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enrol_many(pipeline, plan, on_person=tell)
    assert seen == [2, 2]
    assert pipeline.gallery.store.size == 2


def test_a_group_that_cannot_be_stored_is_stored_one_by_one(pipeline, plan, monkeypatch):
    """As when the disk is full for all of them together, and then for one of them alone."""
    store = bulk_enrol.store_templates

    def full(pipeline, name, *rest, **how):
        if name == "Tony Blair":
            pipeline.gallery.store.database._connection.execute("ROLLBACK")  # what SQLite does by itself then
            raise StorageFailed("The disk is full.", "Free space.")
        return store(pipeline, name, *rest, **how)

    monkeypatch.setattr(bulk_enrol, "store_templates", full)
    rows = enrol_many(pipeline, plan[:3])
    assert [row.error for row in rows] == ["", rows[1].error, ""]
    assert rows[1].error
    assert sorted(person.name for person in pipeline.gallery.store.identities()) == ["Colin Powell", "Hugo Chavez"]


def test_groups_come_in_order_and_whole(pipeline, plan):
    with detection_threads() as pool:
        groups = list(prepared_groups(pipeline, plan, pool, at_once=2))
    assert [[name for (name, _), _ in group] for group in groups] == [
        [name for name, _ in plan[first : first + 2]] for first in (0, 2, 4)
    ]
    assert all(photo.vector is not None for group in groups for _, photos in group for photo in photos)
    with detection_threads() as pool:
        assert list(prepared_groups(pipeline, [], pool)) == []


def test_a_photograph_that_is_there_twice_is_stored_once(pipeline, plan):
    name, paths = plan[0]
    [row] = enrol_many(pipeline, [(name, [*paths, paths[0]])], options=EnrolOptions(matched_sizes=(16,)))
    assert (row.offered, row.stored) == (3, 2)
    assert [reason for _, reason in row.rejected] == ["the same photograph is there already"]
    assert pipeline.gallery.store.find(name).templates == 4
    [again] = enrol_many(pipeline, [(name, paths)], options=EnrolOptions(add=True))
    assert again.stored == 0 and "the same photograph" in again.error
