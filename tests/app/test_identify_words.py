"""What Identify says of a face: in words, beside the threshold, and as CSV."""

from __future__ import annotations

import pytest

from core.csv_export import csv_text
from core.errors import CoreError
from core.gallery.records import Candidate
from core.recognition.results import Recognition
from dashboard.identify.card import against_threshold, in_words
from dashboard.identify.session import Photograph, table


def candidate(name: str, score: float) -> Candidate:
    return Candidate(1, name, score, "hr", None)


def test_results_as_csv_hold_one_row_a_face_and_no_formula() -> None:
    match = Recognition(
        "match",
        "why",
        "=1+1",
        0.61,
        0.35,
        False,
        0.4,
        (candidate("=1+1", 0.61), candidate("@Ben", 0.21)),
        warning="calibrated for others",
    )
    nobody = Recognition("unrecognisable", "no face found", threshold=0.35)
    rows = table(
        [
            Photograph("1", "=cmd.jpg", (match, nobody)),
            Photograph("2", "bad.jpg", error=CoreError("bad.jpg is empty (0 bytes).")),
        ]
    )
    assert list(rows["outcome"]) == ["match", "unrecognisable", "unreadable"]
    assert list(rows["margin"][:1]) == [0.4] and rows["runner_up"][0] == "@Ben"
    tie = Recognition("tie", "", score=0.5, threshold=0.35, possible=("Ada", "Ben"))
    assert table([Photograph("3", "c.jpg", (tie,))]).loc[0, ["identity", "possible"]].tolist() == [None, "Ada; Ben"]
    assert set(rows["threshold_is"]) == {"uncalibrated"}
    assert list(rows["warning"]) == ["calibrated for others", "", ""]
    lines = csv_text(rows).splitlines()
    assert lines[1].startswith("'=cmd.jpg,") and ",'=1+1," in lines[1] and ",'@Ben," in lines[1]
    assert "bad.jpg is empty (0 bytes)." in lines[3]


@pytest.mark.parametrize(
    ("face", "words"),
    [
        (Recognition("unknown", "the gallery is empty", None, None, 0.35), "The gallery is empty."),
        (Recognition("unknown", "", None, 0.2, 0.35, top_k=(candidate("Ada", 0.2),)), "The closest person is Ada."),
        (Recognition("match", "", "Ada", 0.5, 0.35, top_k=(candidate("Ada", 0.5),)), "Nobody else is enrolled"),
        (Recognition("match", "", "A", 0.5, 0.35, calibrated=True, top_k=(candidate("A", 0.5),)), "threshold 0.35. "),
        (Recognition("unrecognisable", "too small (9 px)", threshold=0.35), "Too small (9 px). No name is guessed."),
        (
            Recognition("tie", "", None, 0.51, 0.35, margin=0.012, possible=("Ada", "Ben")),
            "Ada or Ben: too close to call, the two best scores are 0.012 apart. Nobody is named.",
        ),
        (Recognition("tie", "", None, 0.51, 0.35, margin=0.0, possible=("Ada", "Ben")), "their scores are equal."),
        (
            Recognition("repeat", "Ada is at another face", None, 0.51, 0.35, possible=("Ada",)),
            "Ada is at another face. A person can appear only once in a photograph, so this face isn't named.",
        ),
    ],
)
def test_outcome_in_words(face: Recognition, words: str) -> None:
    assert words in in_words(face)


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0.61, "Score 0.61 reaches the threshold 0.35 (uncalibrated)"),
        (0.348, "Score 0.348 is below the threshold 0.350 (uncalibrated)"),
        (0.34994, "Score 0.3499 is below the threshold 0.3500 (uncalibrated)"),
        (0.35, "Score 0.35 reaches the threshold 0.35 (uncalibrated)"),
        (-0.2, "Score -0.20 is below the threshold 0.35 (uncalibrated)"),
    ],
)
def test_a_score_close_to_the_threshold_is_told_from_it(score: float, words: str) -> None:
    assert against_threshold(score, 0.35, calibrated=False) == words
