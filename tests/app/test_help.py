"""Help answers what errors link to, with the numbers that the code goes by."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import core
from core.encoder.health import MAX_MEAN_ABS_COSINE
from core.errors import CoreError
from core.faces.quality import Limits
from core.gallery.review import ADVISED_PHOTOGRAPHS
from core.images import MAX_FILE_BYTES, MAX_PIXELS, MAX_SIDE_PX
from core.models.variants import RECOMMENDED
from core.settings import UNCALIBRATED_THRESHOLD
from dashboard.help.topics import find, parse, topic, topics
from tests.app.conftest import OpenPage, shown


def error_classes(of: type[CoreError] = CoreError) -> Iterator[type[CoreError]]:
    for found in of.__subclasses__():
        yield found
        yield from error_classes(found)


def test_every_error_links_to_a_topic_that_exists() -> None:
    for module in pkgutil.walk_packages(core.__path__, "core."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    named = {found.help_topic for found in error_classes() if found.help_topic}
    assert {"weights", "gallery", "images", "no-face", "storage"} <= named
    assert named <= {found.anchor for found in topics()}


def test_links_between_topics_lead_somewhere() -> None:
    for found in topics():
        for anchor in re.findall(r"\?topic=([a-z0-9-]+)", found.body):
            assert topic(anchor) is not None, f"{found.anchor} links to {anchor}"


def test_numbers_in_help_are_those_of_the_code() -> None:
    def says(anchor: str, *texts: str) -> None:
        found = topic(anchor)
        assert found is not None
        for text in texts:
            assert text in f"{found.title} {' '.join(found.body.split())}", f"{anchor}: {text}"

    limits = Limits()
    says("enrol", "{} to {}".format(*ADVISED_PHOTOGRAPHS), f"{limits.advised_yaw_deg:.0f}°")
    says("outcomes", f"below {limits.severe_probe_px:.0f} px", f"more than {limits.severe_yaw_deg:.0f}°")
    says("threshold", f"{UNCALIBRATED_THRESHOLD:.2f}", f"{1 - (1 - 1 / 1000) ** 1000:.0%}".replace("%", " %"))
    says("images", f"{MAX_FILE_BYTES // 10**6} MB", f"{MAX_PIXELS // 10**6} megapixels", f"{MAX_SIDE_PX:,} px")
    says("weights-refused", f"{MAX_MEAN_ABS_COSINE:.2f}")
    says("weights", f"{RECOMMENDED}.pt", "BSD 3-Clause", "CC BY-NC-SA 4.0")


def test_what_the_notes_had_wrong_is_put_right() -> None:
    said = {found.anchor: found.body for found in topics()}
    assert "EdgeNeXt" in said["torchscript"] and "int8 state dict" in said["torchscript"]
    assert "stages.1" in said["missing-keys"]
    assert "0.3 × alignment" in said["stages"]
    assert "isn't a property of EdgeFace" in " ".join(said["threshold"].split())
    assert "adds no information" in said["upscaling"]


def test_find_takes_every_word_case_aside_and_titles_first() -> None:
    assert find("") == list(topics())
    assert find("THRESHOLD uncalibrated")[0].anchor == "threshold"
    assert find("privacy")[0].anchor == "privacy"
    assert find("threshold zebra") == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("# A\n## No anchor\ntext", "heading"),
        ("## Orphan {#orphan}\ntext", "group"),
        ("# A\n## One {#one}\n## Again {#one}\n", "twice"),
    ],
)
def test_parse_refuses_what_it_cannot_link_to(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse(text)


def test_parse_keeps_bodies_whole() -> None:
    [first, second] = parse("# G\n## One {#one}\na\n\n- b\n## Two {#two}\nc\n")
    assert (first.anchor, first.group, first.title, first.body) == ("one", "G", "One", "a\n\n- b")
    assert (second.anchor, second.body) == ("two", "c")


def test_page_lists_every_topic_without_weights(open_page: OpenPage) -> None:
    app = open_page("help")
    assert [each.value for each in app.title] == ["Help"]
    assert {each.label for each in app.expander} == {found.title for found in topics()}
    assert not app.exception and not app.error


def test_page_opens_the_topic_that_a_link_asked_for(open_page: OpenPage) -> None:
    app = open_page("help", query={"topic": "no-face"})
    assert app.expander[0].label == topic("no-face").title  # type: ignore[union-attr]
    assert app.expander[0].proto.expanded
    assert len(app.expander) == len(topics())


def test_page_takes_an_unknown_topic_as_none(open_page: OpenPage) -> None:
    app = open_page("help", query={"topic": "<script>"})
    assert len(app.expander) == len(topics()) and not app.exception


def test_search_shows_what_fits_and_says_when_nothing_does(open_page: OpenPage) -> None:
    app = open_page("help")
    app.text_input(key="help_query").set_value("ConvNeXt").run()
    assert [each.label for each in app.expander] == [topic("torchscript").title]  # type: ignore[union-attr]
    app.text_input(key="help_query").set_value("<b>zebra</b>").run()
    assert not app.expander
    assert "No answer found for" in app.info[0].value and "<b>" not in shown(app)
