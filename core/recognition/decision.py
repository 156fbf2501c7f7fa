"""Decision from the closest people: a match, a tie, a repeat, unknown, or unrecognisable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from core.recognition.results import NO_FACE, OUTCOMES, Comparison, Outcome, Recognition, either
from core.settings import TIE_MARGIN

if TYPE_CHECKING:
    from core.gallery.operating_points import Decision
    from core.gallery.records import Candidate
    from core.recognition.results import Probe

_EQUAL = 1e-6
"""Equal templates differ by rounding only: a tie even where the margin is 0."""

ALWAYS_COUNTED: tuple[Outcome, ...] = ("match", "unknown", "unrecognisable")

Face = TypeVar("Face", bound=Recognition | None)


def decide(
    probe: Probe,
    found: Sequence[Candidate],
    by: Decision,
    *,
    tie_margin: float = TIE_MARGIN,
    top_k: int = 5,
    nobody: str = "the gallery is empty",
) -> Recognition:
    """The recognition of one probe. `found` are the closest people, best first, at least two if there are as many.

    A best score >= the threshold is a match, unless the runner-up's is within `tie_margin` of it: then no one is
    named, and `possible` holds every name that close. The runner-up of a tie may itself be below the threshold.
    `nobody` is the reason given where `found` is empty.
    """
    best = found[0] if found else None
    decided = Recognition(
        outcome="unknown",
        reason=nobody,
        score=best.score if best else None,
        threshold=by.threshold,
        calibrated=by.calibrated,
        warning=by.warning,
        margin=best.score - found[1].score if best and len(found) > 1 else None,
        top_k=tuple(found[:top_k]),
        probe=probe,
    )
    if because := probe.unrecognisable_because:
        return replace(decided, outcome="unrecognisable", reason=because, score=None, margin=None, top_k=())
    if best is None:
        return decided
    if not best.score >= by.threshold:
        return replace(decided, reason=f"best score {best.score:.2f} is below the threshold {by.threshold:.2f}")
    close = [each for each in found if best.score - each.score <= max(tie_margin, _EQUAL)]
    if len(close) > 1:
        names = tuple(each.name for each in close)
        scores = f"scores {close[0].score:.3f} and {close[1].score:.3f}"
        reason = f"{either(names)}: too close to tell ({scores}; no more than {tie_margin:g} apart)"
        return replace(decided, outcome="tie", possible=names, reason=reason)
    reason = f"score {best.score:.2f} reaches the threshold {by.threshold:.2f}"
    return replace(decided, outcome="match", identity=best.name, reason=reason)


def once_each(faces: Sequence[Face]) -> list[Face]:
    """The faces of one photograph, in order, with each name only at its best face.

    A person is in a photograph once. Where several faces match one name, the one with the highest score keeps it (the
    first of equal ones); the others become repeats, with that name in `possible`. The runner-up isn't named instead,
    since it scored lower. None stands for a face that isn't recognised yet.
    """
    best: dict[str, Recognition] = {}
    for face in faces:
        if face is not None and face.identity is not None:
            kept = best.setdefault(face.identity, face)
            if (face.score or 0.0) > (kept.score or 0.0):
                best[face.identity] = face
    return [_repeat(face, best) for face in faces]


def _repeat(face: Face, best: dict[str, Recognition]) -> Face:
    if face is None or face.identity is None or best[face.identity] is face:
        return face
    name, kept = face.identity, best[face.identity]
    reason = (
        f"{name} is at another face of this photograph with a higher score ({kept.score or 0.0:.2f}, "
        f"here {face.score or 0.0:.2f})"
    )
    return replace(face, outcome="repeat", identity=None, possible=(name,), reason=reason)


def counted(outcomes: Iterable[str]) -> dict[str, int]:
    """Counts by outcome: matches, unknown and unrecognisable always, ties and repeats where there are any."""
    counts = Counter(outcomes)
    return {name: counts[name] for name in OUTCOMES if counts[name] or name in ALWAYS_COUNTED}


def not_comparable(a: Probe | None, b: Probe | None, threshold: float) -> Comparison | None:
    """The comparison of two images of which one shows no face, or none that can be recognised; None where both do."""
    for probe, which in ((a, "first"), (b, "second")):
        because = NO_FACE if probe is None else probe.unrecognisable_because
        if because:
            return Comparison(None, None, threshold, f"{which} image: {because}", a, b)
    return None


def compare(a: Probe, b: Probe, score: float, by: Decision) -> Comparison:
    """The comparison of two faces with that cosine: the same person where score >= threshold."""
    same = score >= by.threshold
    reason = f"score {score:.2f} {'reaches' if same else 'is below'} the threshold {by.threshold:.2f}"
    return Comparison(same, score, by.threshold, reason, a, b, by.calibrated)
