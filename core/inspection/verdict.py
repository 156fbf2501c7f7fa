"""Does super-resolution help this face? One sentence, from the rank of the true person or else from likeness to HR."""

from __future__ import annotations

from core.inspection.values import Answer, Enlarged, Verdict

MARGIN = 0.02
"""Cosines that differ by less count as alike: the same crop in bfloat16 and float32 differs by up to 0.001, and one
pixel's shift of a 112 px crop by more than that."""

NOTHING_TO_COMPARE = "Neither a super-resolution network nor a specialist is in use. Train one, or activate one."


def judge(bicubic: Enlarged, dsr: Enlarged | None) -> Verdict:
    """Judge by the rank of the true person where it changes; else by their score or, for an unknown person, by the
    cosine to HR, each by at least MARGIN."""
    if dsr is None:
        return Verdict("unknown", NOTHING_TO_COMPARE)
    ranks = (_rank(bicubic), _rank(dsr))
    what, before, after = _measure(bicubic, dsr)
    if before is None or after is None:
        return Verdict("unknown", "Unknown: there is neither an HR image nor a true person to compare with.")
    moved = _moved(ranks, bicubic, dsr)
    change = after - before
    answer: Answer = "no difference"
    if ranks[0] is not None and ranks[1] is not None and ranks[0] != ranks[1]:
        answer = "helps" if ranks[1] < ranks[0] else "harms"
    elif abs(change) >= MARGIN:
        answer = "helps" if change > 0 else "harms"
    begins = {"helps": "Yes, it helps", "harms": "No, it harms", "no difference": "It makes no difference"}[answer]
    against = (answer == "helps" and change <= -MARGIN) or (answer == "harms" and change >= MARGIN)
    if abs(change) < MARGIN:
        tells = f"{what} hardly changes ({before:.2f} and {after:.2f})"
    else:
        tells = f"{what} {'rises' if change > 0 else 'falls'} from {before:.2f} to {after:.2f}"
    joined = f"{moved}, {'though' if against else 'and'} {tells}" if moved else tells
    return Verdict(answer, f"{begins}: {joined}. {_pixels(bicubic, dsr)}".strip())


def _rank(one: Enlarged) -> int | None:
    return one.ranking.rank if one.ranking is not None else None


def _measure(bicubic: Enlarged, dsr: Enlarged) -> tuple[str, float | None, float | None]:
    """What is compared, in words, and its values."""
    if bicubic.similarity is not None:
        return "the identity cosine to HR", bicubic.similarity, dsr.similarity
    genuine = [one.ranking.genuine if one.ranking is not None else None for one in (bicubic, dsr)]
    return "the true person's score", genuine[0], genuine[1]


def _moved(ranks: tuple[int | None, int | None], bicubic: Enlarged, dsr: Enlarged) -> str:
    if ranks[0] is None or ranks[1] is None or bicubic.ranking is None:
        return ""
    people = f"of {bicubic.ranking.people:,}"
    if ranks[0] == ranks[1]:
        return f"the true person stays at rank {ranks[0]:,} {people}"
    verb = "rises" if ranks[1] < ranks[0] else "falls"
    return f"the true person {verb} from rank {ranks[0]:,} to {ranks[1]:,} {people}"


def _pixels(bicubic: Enlarged, dsr: Enlarged) -> str:
    if bicubic.psnr_db is None or dsr.psnr_db is None:
        return ""
    change = dsr.psnr_db - bicubic.psnr_db
    if not abs(change) < float("inf"):
        return ""
    if abs(change) < 0.05:
        return "Pixel by pixel both are as close to HR."
    return f"Pixel by pixel it is {abs(change):.1f} dB {'closer to' if change > 0 else 'farther from'} HR than bicubic."
