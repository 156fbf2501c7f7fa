"""One face inspected: its figures are an evaluation's, its steps are told, and a face without truth works too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from skimage import data

from core.errors import SettingsInvalid
from core.evaluation import per_identity
from core.evaluation.embedding import embed
from core.evaluation.pictures import Picture
from core.evaluation.sr_quality import sr_quality
from core.evaluation.systems import system_of
from core.evaluation.views import View, show
from core.images import resize
from core.inspection.face import differences, inspect_face
from core.inspection.reference import reference_of_pictures, weighed
from core.inspection.subject import Reduction, subject_of_picture, subjects_of_photograph
from core.inspection.survey import survey
from core.inspection.values import INVENTED, Subject
from core.pipeline import Pipeline

Pictures = Sequence[Picture]


@pytest.mark.parametrize(("size", "degradation"), [(16, "bicubic"), (24, "bicubic"), (20, "camera")])
def test_every_figure_is_the_evaluations_for_the_same_image(
    pipeline: Pipeline, pictures: Pictures, size: int, degradation: str
) -> None:
    view = View("aligned", size, degradation)  # type: ignore[arg-type]
    system, reduction = system_of(pipeline), Reduction(size, degradation, seed=5)  # type: ignore[arg-type]
    quality = sr_quality(system, pictures, [view], seed=5).set_index(["image", "upscaler"])
    embedded = embed(system, pictures, [View("aligned"), view], seed=5)
    reference = reference_of_pictures(pictures, weighed(embedded[View("aligned")]), "small")
    # An evaluation ranks what the product would take: bicubic at 24 px, which this DSR leaves to it.
    ranked = "bicubic" if size == 24 else "tiny-dsr"
    probes = per_identity.probe_table(pictures, embedded[view], embedded[View("aligned")]).set_index("image")
    table = survey(pipeline, pictures, reduction, reference).set_index("image")
    for picture in pictures[::4]:
        inspection = inspect_face(pipeline, subject_of_picture(picture, reduction), reference)
        for one, way in ((inspection.bicubic, "bicubic"), (inspection.dsr, "dsr")):
            assert one is not None
            row = quality.loc[(picture.name, one.name)]
            # In a batch a value on the edge of rounding may fall to the next level on some processors.
            assert one.psnr_db == pytest.approx(row["psnr_db"], abs=1e-3)
            assert one.ssim == pytest.approx(row["ssim"], abs=1e-4)
            assert one.similarity == pytest.approx(row["similarity"], abs=1e-5)
            many = table.loc[picture.name]
            assert one.psnr_db == pytest.approx(many[f"psnr_db_{way}"], abs=1e-3)
            assert one.ssim == pytest.approx(many[f"ssim_{way}"], abs=1e-4)
            assert one.similarity == pytest.approx(many[f"similarity_{way}"], abs=1e-5)
            assert one.ranking is not None and one.ranking.people == many_people(pictures, picture)
            assert (one.ranking.rank or 0) == np.nan_to_num(many[f"rank_{way}"])
            if one.name == ranked:
                probe = probes.loc[picture.name]
                assert (one.ranking.rank or 0) == np.nan_to_num(probe["rank"])
                if one.ranking.genuine is not None:
                    assert one.ranking.genuine == pytest.approx(probe["genuine"], abs=1e-5)


def many_people(pictures: Pictures, own: Picture) -> int:
    """Everybody, but for a person whose only picture it is."""
    alone = sum(one.identity == own.identity for one in pictures) == 1
    return len({one.identity for one in pictures}) - alone


@pytest.mark.parametrize("degradation", ["bicubic", "camera"])
def test_the_pixels_are_the_evaluations(pipeline: Pipeline, pictures: Pictures, degradation: str) -> None:
    views = [View("aligned"), View("aligned", 16, degradation)]  # type: ignore[arg-type]
    shown = show(pipeline, pictures[3], views, seed=9)
    subject = subject_of_picture(pictures[3], Reduction(16, degradation, seed=9))  # type: ignore[arg-type]
    for mine, view in ((subject.hr, views[0]), (subject.vlr, views[1])):
        assert mine is not None and np.array_equal(mine, shown[view].crop)


def test_the_network_itself_is_shown_where_bicubic_is_used_and_the_routing_is_said(
    pipeline: Pipeline, pictures: Pictures
) -> None:
    inspection = inspect_face(pipeline, subject_of_picture(pictures[0], Reduction(24)))
    assert inspection.dsr is not None and inspection.dsr.invented and INVENTED in inspection.dsr.caption
    assert not np.array_equal(inspection.dsr.image, inspection.bicubic.image)
    assert inspection.in_use == "bicubic, since it measures better at 24 px"
    assert not inspection.bicubic.invented and inspection.hr is not None and not inspection.hr.invented
    assert inspection.hr.psnr_db == float("inf") and inspection.hr.similarity == pytest.approx(1)


def test_steps_tell_shapes_and_ranges_and_what_is_wrong(pipeline: Pipeline, pictures: Pictures) -> None:
    subject = subject_of_picture(pictures[0], Reduction(32))
    inspection = inspect_face(pipeline, subject)
    steps = {step.name: step for step in inspection.steps}
    assert steps["VLR"].shape == (32, 32, 3) and steps["VLR"].dtype == "uint8"
    taken = steps["VLR as the network takes it"]
    assert taken.shape == (1, 3, 32, 32) and -1 <= taken.low < taken.high <= 1
    assert taken.mean == pytest.approx(steps["VLR"].mean / 127.5 - 1, abs=1e-6)
    assert taken.std == pytest.approx(steps["VLR"].std / 127.5, abs=1e-6)
    assert steps["batch as the encoder takes it"].shape == (3, 3, 112, 112)
    assert steps["embedding of HR"].shape == (512,)
    assert not any(step.problem for step in inspection.steps)
    black = inspect_face(pipeline, replace(subject, vlr=np.zeros((32, 32, 3), np.uint8)))
    assert "every value is the same" in [step.problem for step in black.steps]
    assert {"bicubic", "super-resolve", "embed 3 crops", "measure"} == set(inspection.timings_ms)


def test_differences_are_mean_distances_in_levels() -> None:
    hr = np.zeros((4, 4, 3), np.uint8)
    other = hr.copy()
    other[1, 2] = (30, 60, 90)
    found = differences(hr, other)
    assert found[1, 2] == 60 and found.sum() == 60 and np.array_equal(found, differences(other, hr))


def test_figures_are_json_without_infinities(pipeline: Pipeline, pictures: Pictures) -> None:
    inspection = inspect_face(pipeline, subject_of_picture(pictures[0], Reduction(16)))
    told = json.loads(json.dumps(inspection.figures(), allow_nan=False))
    assert [one["name"] for one in told["pictures"]] == ["bicubic", "tiny-dsr", "HR"]
    assert told["pictures"][1]["label"] == INVENTED and told["pictures"][2]["psnr_db"] is None


def test_without_a_network_the_face_is_shown_and_the_next_step_named(
    plain_pipeline: Pipeline, pictures: Pictures
) -> None:
    inspection = inspect_face(plain_pipeline, subject_of_picture(pictures[0], Reduction(16)))
    assert inspection.dsr is None and inspection.verdict.answer == "unknown"
    assert "Train one" in inspection.verdict.sentence and len(inspection.enlarged) == 2


def test_a_large_face_of_a_photograph_is_its_own_truth_and_a_small_one_has_none(pipeline: Pipeline) -> None:
    photograph = np.ascontiguousarray(data.astronaut())
    [large] = subjects_of_photograph(pipeline, photograph, "a.png", Reduction(16))
    assert large.hr is not None and large.size_px == 16
    small = resize(photograph, (128, 128))
    [seen] = subjects_of_photograph(pipeline, small, "a.png", Reduction(16))
    assert seen.hr is None and 20 < seen.size_px < 40 and seen.made_small == "as photographed"
    inspection = inspect_face(pipeline, seen)
    assert inspection.hr is None and inspection.bicubic.psnr_db is None and inspection.bicubic.difference is None
    assert "neither" in inspection.verdict.sentence
    grey = np.full((100, 200, 3), 128, np.uint8)
    assert subjects_of_photograph(pipeline, grey, "wall.png", Reduction(16)) == []


@pytest.mark.parametrize("size", [8, 64])
def test_every_size_from_8_to_64_px_works(pipeline: Pipeline, pictures: Pictures, size: int) -> None:
    inspection = inspect_face(pipeline, subject_of_picture(pictures[0], Reduction(size)))
    assert inspection.subject.vlr.shape == (size, size, 3) and inspection.bicubic.image.shape == (112, 112, 3)


def test_what_cannot_be_inspected_says_so(pipeline: Pipeline, pictures: Pictures) -> None:
    with pytest.raises(SettingsInvalid, match="7 px"):
        Reduction(7)
    with pytest.raises(SettingsInvalid, match="no VLR of 16 px"):
        subject_of_picture(pictures[0], Reduction(16, "stored"))
    with pytest.raises(SettingsInvalid, match="gamma"):
        subject_of_picture(pictures[0], Reduction(16, "camera", 0, {"gamma": 99.0}))
    with pytest.raises(SettingsInvalid, match="stored"):
        subjects_of_photograph(pipeline, np.zeros((9, 9, 3), np.uint8), "a", Reduction(16, "stored"))


def test_the_labs_knobs_are_taken_and_told(pictures: Pictures) -> None:
    params = {"blur_px": [2.0, 1.0], "gamma": 2.0, "quality": 40}
    first = subject_of_picture(pictures[0], Reduction(24, "camera", 1, params))
    other = subject_of_picture(pictures[0], Reduction(24, "camera", 1, {**params, "quality": 5}))
    assert "blur 2.0 by 1.0 px" in first.made_small and "JPEG quality 40" in first.made_small
    assert not np.array_equal(first.vlr, other.vlr)
    assert isinstance(first, Subject) and first.identity == pictures[0].identity
