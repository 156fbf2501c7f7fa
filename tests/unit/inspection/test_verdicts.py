"""Does super-resolution help? Ranks decide first, likeness next, and pixels never."""

from __future__ import annotations

import numpy as np
import pytest

from core.inspection.values import Enlarged, Ranking
from core.inspection.verdict import judge

_RGB = np.zeros((112, 112, 3), np.uint8)
_VECTOR = np.zeros(512, np.float32)


def way(name: str, similarity: float | None, rank: int | None = None, psnr: float | None = None) -> Enlarged:
    ranking = None if rank is None else Ranking((), 100, rank, similarity)
    return Enlarged(name, _RGB, _VECTOR, name != "bicubic", psnr, None, similarity, None, ranking)


@pytest.mark.parametrize(
    ("before", "after", "answer", "words"),
    [
        ((0.4, 7, 25.0), (0.5, 1, 26.0), "helps", "Yes, it helps: the true person rises from rank 7 to 1 of 100, and"),
        ((0.5, 1, 25.0), (0.4, 3, 26.0), "harms", "No, it harms: the true person falls from rank 1 to 3 of 100, and"),
        ((0.5, 3, 25.0), (0.4, 1, 25.0), "helps", "of 100, though the identity cosine to HR falls from 0.50 to 0.40"),
        ((0.4, 1, 25.0), (0.5, 1, 24.0), "helps", "stays at rank 1 of 100, and the identity cosine to HR rises"),
        ((0.4, None, 25.0), (0.39, None, 28.0), "no difference", "hardly changes (0.40 and 0.39). Pixel by pixel"),
        ((0.4, None, 25.0), (0.3, None, 28.0), "harms", "falls from 0.40 to 0.30. Pixel by pixel it is 3.0 dB closer"),
        ((0.4, None, 25.0), (0.6, None, 24.0), "helps", "1.0 dB farther from HR than bicubic"),
    ],
)
def test_answers(before: tuple, after: tuple, answer: str, words: str) -> None:
    verdict = judge(way("bicubic", *before), way("dsr", *after))
    assert verdict.answer == answer and words in verdict.sentence, verdict.sentence


def test_without_hr_the_true_persons_score_decides_and_without_both_nobody_can_say() -> None:
    def seen(name: str, score: float | None) -> Enlarged:
        ranking = Ranking((), 9, None if score is None else 1, score)
        return Enlarged(name, _RGB, _VECTOR, ranking=ranking)

    helped = judge(seen("bicubic", 0.3), seen("dsr", 0.6))
    assert helped.answer == "helps" and "the true person's score rises from 0.30 to 0.60" in helped.sentence
    assert judge(seen("bicubic", None), seen("dsr", None)).answer == "unknown"
    assert judge(seen("bicubic", 0.3), None).answer == "unknown"
