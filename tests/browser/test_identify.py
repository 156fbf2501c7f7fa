"""Identify in a browser: a real upload to a name on screen, at both widths; names are text; the way to Enrol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import skimage.data
from PIL import Image

from core.enrolment.drafts import prepare_enrolment
from core.enrolment.enrol import enrol
from core.pipeline import PipelineConfig, build_pipeline
from tests.browser.conftest import Server, give_files

pytestmark = pytest.mark.browser

NAME = "<b>Eileen</b> :smile: www.collins.com `$x$` *C*"


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two copies of a real face side by side, one of them mirrored: a group of two."""
    path = tmp_path_factory.mktemp("photographs") / "group.png"
    one = Image.fromarray(skimage.data.astronaut()).crop((120, 0, 340, 220))
    group = Image.new("RGB", (440, 220))
    group.paste(one, (0, 0))
    group.paste(one.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (220, 0))
    group.save(path)
    return path


@pytest.fixture(scope="module")
def filled(ready_server: Server, photograph: Path) -> Server:
    """The dashboard with somebody enrolled under a name full of markup."""
    weights = ready_server.data_dir / "weights" / "edgeface_xxs_q.pt"
    config = PipelineConfig(device="cpu", weights=weights, gallery_path=ready_server.data_dir / "gallery.db")
    pipeline = build_pipeline(config)
    enrol(pipeline, NAME, prepare_enrolment(pipeline, [photograph]))
    pipeline.gallery.store.close()
    return ready_server


def identify(page: Any, server: Server, photograph: Path) -> None:
    page.goto(server.url("identify"))
    give_files(page, photograph)
    page.get_by_text("Results as CSV").wait_for()
    page.locator(".js-plotly-plot").first.wait_for()


def test_a_name_full_of_markup_appears_as_typed(filled: Server, page: Any, photograph: Path) -> None:
    identify(page, filled, photograph)
    seen = page.locator("[data-testid=stMainBlockContainer]").inner_text().replace("\u2060", "")
    assert seen.count(NAME) >= 3, "on the box, in the headline and in the caption of each face"
    assert page.locator("[data-testid=stMainBlockContainer] b", has_text="Eileen").count() == 0
    assert page.locator("a[href*='collins']").count() == 0


def test_boxes_lie_on_the_photograph_at_both_widths(filled: Server, page: Any, photograph: Path) -> None:
    identify(page, filled, photograph)
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        frame = page.locator(".ef-frame").bounding_box()
        boxes = [box.bounding_box() for box in page.locator(".ef-box").all()]
        assert len(boxes) == 2
        for box in boxes:
            assert frame["x"] <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"]
            assert 0.15 < box["width"] / frame["width"] < 0.4
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_results_come_down_as_csv(filled: Server, page: Any, photograph: Path, tmp_path: Path) -> None:
    identify(page, filled, photograph)
    with page.expect_download() as download:
        page.get_by_text("Results as CSV").click()
    path = tmp_path / "results.csv"
    download.value.save_as(path)
    header, *rows = path.read_text(encoding="utf-8-sig").splitlines()
    assert header.startswith("file,face,outcome,identity,possible,score,threshold,threshold_is")
    assert len(rows) == 2 and all(row.startswith("group.png,") for row in rows)


def test_a_broken_file_leads_to_the_answer_in_help(filled: Server, page: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    page.goto(filled.url("identify"))
    give_files(page, broken)
    page.get_by_text("Read about this in Help").click()
    page.get_by_text("JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF and HEIC (the iPhone's format) are supported").wait_for()


def test_the_reduced_photograph_and_the_way_to_enrol(filled: Server, page: Any, photograph: Path) -> None:
    identify(page, filled, photograph)
    page.get_by_role("radio", name="16 px").first.click()
    page.get_by_text("reduced until its largest face measured about 16 px").wait_for()
    page.get_by_text("Enlarged (bicubic): adds no detail").first.wait_for()
