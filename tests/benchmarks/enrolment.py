"""Many people enrolled at once, beside one at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from core.bench.material import Material
from core.bench.measure import in_turns
from core.bench.measurements import PHOTOGRAPHS, enrolment_plan
from core.bench.row import Row
from core.enrolment.bulk_enrol import enrol_many
from core.enrolment.drafts import NothingToEnrol, prepare_enrolment
from core.enrolment.enrol import EnrolOptions, enrol
from core.gallery.store import Gallery
from core.pipeline import Pipeline, PipelineConfig, build_pipeline

PERSON_BY_PERSON = "for each person: enrol(pipeline, name, prepare_enrolment(pipeline, photographs, person=name))"
ONE_BY_ONE = (
    "for each photograph: enrol(pipeline, name, prepare_enrolment(pipeline, [photograph], person=name), "
    "options=EnrolOptions(add=True))"
)

Plan = Sequence[tuple[str, Sequence[Path]]]


def rows(material: Material) -> list[Row]:
    """People with five photographs each into an empty gallery: 1,000 with `large`, else 40."""
    plan = enrolment_plan(material, material.size(1_000 if material.large else 40, 3))
    material.on_step(f"enrolment of {len(plan):,} people")
    folder = material.folder / "enrolment"
    config = PipelineConfig(device="cpu", weights=material.weights, skip_dsr=True)
    made = build_pipeline(config, material.settings)

    def into_empty(how: Callable[[Pipeline, Plan], object]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        with Gallery.open(folder / "gallery.db") as gallery:
            how(Pipeline(config, made.encoder, made.upscaler, made.detector, gallery), plan)

    times = in_turns(
        {
            "ours": lambda: into_empty(lambda pipeline, plan: enrol_many(pipeline, plan, force=True)),
            "a person at a time": lambda: into_empty(by_person),
            "a photograph at a time": lambda: into_empty(by_photograph),
        },
        rounds=1 if material.large else material.size(3, 1),
        warm_up=0,
        most_s=60,
    )
    ours = len(plan) / times["ours"].median
    found = []
    for name, how, target, command in (
        ("enrol-bulk", "a person at a time", ">= 3x", PERSON_BY_PERSON),
        ("enrol-bulk-photographs", "a photograph at a time", "", ONE_BY_ONE),
    ):
        base = len(plan) / times[how].median
        what = f"Enrolment of {len(plan):,} people x {PHOTOGRAPHS}, beside {how}"
        met = ours / base >= 3 if target else None
        note = "from files to the disk, with pictures and what there is to say about each"
        found.append(Row(name, what, "people/s", ours, base, ours / base, target, met, command, note))
    return found


def by_person(pipeline: Pipeline, plan: Plan) -> None:
    for name, paths in plan:
        _enrol(pipeline, name, paths)


def by_photograph(pipeline: Pipeline, plan: Plan) -> None:
    for name, paths in plan:
        for path in paths:
            _enrol(pipeline, name, [path])


def _enrol(pipeline: Pipeline, name: str, paths: Sequence[Path]) -> None:
    draft = prepare_enrolment(pipeline, paths, person=name)
    try:
        enrol(pipeline, name, draft, options=EnrolOptions(add=True))
    except NothingToEnrol:
        return  # no face in them: bulk enrolment says so and goes on, too
