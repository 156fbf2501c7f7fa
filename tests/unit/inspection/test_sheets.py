"""What is exported: the sheet of one face and the contact sheet, with the label burnt into what is invented."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.evaluation.pictures import Picture
from core.inspection.colours import difference_map, labelled, overlay, shared_scale
from core.inspection.contact import contact_png, figures_line, tiles
from core.inspection.face import inspect_face
from core.inspection.sheet import enlarge_pixels, sheet_png, shown_name
from core.inspection.subject import Reduction, subject_of_picture
from core.inspection.survey import reference_of_dataset, survey
from core.inspection.values import INVENTED
from core.pipeline import Pipeline
from core.settings import load_settings

Pictures = Sequence[Picture]


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def holds(sheet: np.ndarray, picture: np.ndarray) -> bool:
    """Whether a picture lies somewhere in the sheet, pixel for pixel."""
    height, width = picture.shape[:2]
    corner = np.all(sheet[: 1 - height or None, : 1 - width or None] == picture[0, 0], axis=2)
    return any(
        np.array_equal(sheet[y : y + height, x : x + width], picture) for y, x in zip(*np.nonzero(corner), strict=True)
    )


def test_the_sheet_holds_exact_pixels_figures_and_the_label(pipeline: Pipeline, pictures: Pictures) -> None:
    inspection = inspect_face(pipeline, subject_of_picture(pictures[0], Reduction(16)))
    picture = opened(sheet_png(inspection))
    assert json.loads(picture.text["inspection"]) == inspection.figures()
    assert picture.text["Comment"] == INVENTED
    sheet = np.asarray(picture.convert("RGB"))
    assert inspection.dsr is not None and inspection.hr is not None
    assert holds(sheet, enlarge_pixels(inspection.subject.vlr, 224))
    assert holds(sheet, enlarge_pixels(inspection.hr.image, 224))
    invented = enlarge_pixels(inspection.dsr.image, 224)
    assert not holds(sheet, invented), "never without its label"
    assert holds(sheet, labelled(invented))


def test_a_sheet_without_network_or_truth_is_whole_too(plain_pipeline: Pipeline, pictures: Pictures) -> None:
    from dataclasses import replace

    subject = replace(subject_of_picture(pictures[0], Reduction(16)), hr=None)
    picture = opened(sheet_png(inspect_face(plain_pipeline, subject)))
    assert picture.size[1] > 300 and "Comment" not in picture.text


def test_the_contact_sheet_labels_each_invented_face(
    pipeline: Pipeline, plain_pipeline: Pipeline, pictures: Pictures, own_data_dir: Path
) -> None:
    reference = reference_of_dataset(pipeline, load_settings(), pictures, "small")
    for joined in (pipeline, plain_pipeline):
        rows = survey(joined, pictures, Reduction(16), reference).head(5)
        made = tiles(joined, pictures[:5], Reduction(16))
        assert len(made) == 5
        picture = opened(contact_png(made, rows, "As listed", "five faces"))
        sheet = np.asarray(picture.convert("RGB"))
        assert holds(sheet, made[4].hr) and holds(sheet, made[0].enlarged) is not made[0].invented
        assert (picture.text.get("Comment") == INVENTED) is made[0].invented
    assert "→" in figures_line(survey(pipeline, pictures[:1], Reduction(16), reference).iloc[0])


def test_the_label_darkens_the_lower_edge_alone() -> None:
    white = np.full((112, 112, 3), 255, np.uint8)
    marked = labelled(white)
    assert np.array_equal(marked[:90], white[:90]) and marked[-4:].mean() < 128 and np.all(white == 255)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=4))
def test_one_scale_holds_every_difference(highest: list[int]) -> None:
    maps = [np.full((4, 4), top, np.uint8) for top in highest]
    scale = shared_scale(maps)
    assert max(highest) <= scale <= 255 and scale >= 16
    brightness = [difference_map(one, scale).astype(int).sum() for one in maps]
    assert np.array_equal(np.argsort(brightness, kind="stable"), np.argsort(highest, kind="stable"))


def test_heat_of_nothing_is_the_face_in_grey() -> None:
    face = np.random.default_rng(0).integers(0, 255, (112, 112, 3), dtype=np.uint8)
    shown = overlay(face, np.zeros((112, 112), np.float32))
    assert shown.shape == (224, 224, 3)
    assert np.array_equal(shown[..., 0], shown[..., 1]) and np.array_equal(shown[..., 1], shown[..., 2])
    heat = np.zeros((112, 112), np.float32)
    heat[50:60, 20:30] = 0.3
    warm = overlay(face, heat)
    assert warm[110, 50, 0] > warm[110, 50, 2] + 20 and np.array_equal(warm[:60], shown[:60])


def test_names_are_drawn_on_one_line_and_cut() -> None:
    assert shown_name("Ada\n\x1b[31m  L", 40) == "Ada ?[31m L" and len(shown_name("x" * 99)) == 26
