"""From candidates to an answer: a tie names nobody, and a person is in a photograph once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.faces.quality import Problem, Quality
from core.gallery.operating_points import Decision
from core.gallery.records import Candidate
from core.recognition.decision import counted, decide, once_each
from core.recognition.results import Probe, Recognition
from core.settings import TIE_MARGIN

CROP = np.zeros((24, 24, 3), np.uint8)
PROBE = Probe(CROP, CROP, CROP, 24.0, 24, Quality(24.0, 1.0, 100.0, 40.0), (), None, (480, 640), "bicubic")


def answer(*scores: tuple[str, float], margin: float = TIE_MARGIN, threshold: float = 0.35) -> Recognition:
    found = [Candidate(number, name, score, "hr", None) for number, (name, score) in enumerate(scores)]
    return decide(PROBE, found, Decision(threshold, calibrated=False), tie_margin=margin)


def test_two_names_within_the_margin_are_a_tie_and_nobody_is_named() -> None:
    tie = answer(("Ada", 0.71), ("Ben", 0.70), ("Cleo", 0.2))
    assert (tie.outcome, tie.identity, tie.possible) == ("tie", None, ("Ada", "Ben"))
    assert tie.title == "Ada or Ben?" and tie.reason.startswith("Ada or Ben: too close to tell")
    assert tie.score == 0.71 and [each.name for each in tie.top_k] == ["Ada", "Ben", "Cleo"]


def test_a_lead_beyond_the_margin_is_a_match() -> None:
    match = answer(("Ada", 0.71), ("Ben", 0.68))
    assert (match.outcome, match.identity, match.possible) == ("match", "Ada", ())


def test_the_margin_is_a_setting_and_zero_leaves_equal_scores() -> None:
    assert answer(("Ada", 0.71), ("Ben", 0.60), margin=0.12).outcome == "tie"
    assert answer(("Ada", 0.71), ("Ben", 0.70), margin=0.0).identity == "Ada"
    assert answer(("Ada", 0.71), ("Ben", 0.71 - 1e-8), margin=0.0).possible == ("Ada", "Ben")


def test_a_runner_up_below_the_threshold_ties_too() -> None:
    assert answer(("Ada", 0.355), ("Ben", 0.345)).possible == ("Ada", "Ben")


def test_below_the_threshold_nothing_is_a_tie() -> None:
    unknown = answer(("Ada", 0.30), ("Ben", 0.30))
    assert (unknown.outcome, unknown.possible, unknown.title) == ("unknown", (), "Unknown")


def test_three_names_stand_in_one_answer() -> None:
    assert answer(("Ada", 0.71), ("Ben", 0.71), ("Cleo", 0.70)).title == "Ada, Ben or Cleo?"


def test_an_unrecognisable_face_is_no_tie() -> None:
    blurred = replace(PROBE, problems=(Problem("blur", "blurred", severe=True),))
    found = [Candidate(1, "Ada", 0.7, "hr", None), Candidate(2, "Ben", 0.7, "hr", None)]
    decided = decide(blurred, found, Decision(0.35, calibrated=False))
    assert (decided.outcome, decided.score, decided.possible) == ("unrecognisable", None, ())


def test_one_name_stays_with_its_best_face_of_a_photograph() -> None:
    faces = [answer(("Ada", 0.5)), answer(("Ada", 0.8)), answer(("Ben", 0.6)), answer(("Ada", 0.1))]
    first, second, third, fourth = once_each(faces)
    assert (first.outcome, first.identity, first.possible) == ("repeat", None, ("Ada",))
    assert first.title == "Ada again?" and "higher score (0.80, here 0.50)" in first.reason
    assert (second, third, fourth) == (faces[1], faces[2], faces[3])


def test_of_equal_faces_the_first_keeps_the_name() -> None:
    assert [face.outcome for face in once_each([answer(("Ada", 0.5)), answer(("Ada", 0.5))])] == ["match", "repeat"]


def test_ties_and_faces_that_wait_take_no_part() -> None:
    tie = answer(("Ada", 0.9), ("Ben", 0.9))
    match = answer(("Ada", 0.5))
    assert once_each([None, tie, match]) == [None, tie, match]


@pytest.mark.parametrize(
    ("outcomes", "counts"),
    [
        ([], {"match": 0, "unknown": 0, "unrecognisable": 0}),
        (["tie", "match", "tie"], {"match": 1, "tie": 2, "unknown": 0, "unrecognisable": 0}),
        (["repeat"], {"match": 0, "repeat": 1, "unknown": 0, "unrecognisable": 0}),
    ],
)
def test_outcomes_are_counted(outcomes: list[str], counts: dict[str, int]) -> None:
    assert counted(outcomes) == counts
