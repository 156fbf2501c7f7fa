"""Test the three causes of a similarity that is too high: A super-resolution is that good, B small and large images are
the same, C the embeddings have collapsed.

The limits are those of training (`core.training.alarms`); here every cause is tested, also where similarity is
plausible, since a collapse or a wrong data set may not show yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from core.diagnostics.check import FaceCheck, SizeCheck
from core.encoder.health import MAX_MEAN_ABS_COSINE
from core.training.alarms import (
    SAME_PICTURE_DB,
    TOO_SIMILAR,
    Alarm,
    Cause,
    cause_of_similarity,
    is_collapsed,
    too_similar,
)

QUESTIONS: dict[Cause, str] = {
    "A": "Is super-resolution really that good?",
    "B": "Are the small images the large ones?",
    "C": "Have the embeddings collapsed?",
}


@dataclass(frozen=True)
class Answer:
    """The test of one cause: whether it was found, and the evidence."""

    cause: Cause
    found: bool
    text: str

    @property
    def question(self) -> str:
        return QUESTIONS[self.cause]


@dataclass(frozen=True)
class Diagnosis:
    """`answers` are C, B, A in the order in which they exclude one another. `alarm` is None while similarity is
    plausible. `protocol` describes what was measured."""

    similarity: float
    size_px: int
    answers: tuple[Answer, ...]
    alarm: Alarm | None
    protocol: str

    @property
    def text(self) -> str:
        """The verdict in a sentence or two."""
        faults = [each for each in self.answers if each.cause != "A" and each.found]
        if self.alarm is not None:
            return f"{self.alarm.what} {self.alarm.cause} {self.alarm.next_step}"
        first = (
            f"Similarity to HR is at most {self.similarity:.4f} (at {self.size_px} px): not too high, which it is from "
            f"{TOO_SIMILAR} on."
        )
        if not faults:
            return f"{first} Nothing is wrong with these weights or this data."
        return f"{first} But: {' '.join(each.text for each in faults)}"

    @property
    def ok(self) -> bool:
        return not any(each.found for each in self.answers if each.cause != "A")

    def facts(self) -> dict[str, Any]:
        """Plain values for a report."""
        return {
            "similarity": self.similarity,
            "size_px": self.size_px,
            "text": self.text,
            "ok": self.ok,
            "answers": [{**asdict(each), "question": each.question} for each in self.answers],
            "alarm": None if self.alarm is None else self.alarm.event(),
            "protocol": self.protocol,
        }


def diagnose(check: FaceCheck, data: str) -> Diagnosis:
    """Test every cause on a check's figures; the size with the highest similarity is judged. `data` names the set."""
    worst = max(check.sizes, key=lambda one: one.similarity)
    collapsed = _collapsed(check)
    same_db = max(one.detail_db for one in check.sizes)
    cause = cause_of_similarity(collapsed.found, same_db)
    too_high = worst.similarity >= TOO_SIMILAR
    alarm = too_similar(worst.similarity, collapsed.found, same_db) if too_high else None
    protocol = (
        f"{data}, {check.pictures:,} aligned faces of {check.people:,} people"
        f"{', drawn ones' if check.synthetic else ''}; encoder {check.encoder} ({check.weights_sha256[:12]}), upscaler "
        f"{check.upscaler}, no flip"
    )
    return Diagnosis(
        worst.similarity,
        worst.size_px,
        (collapsed, _same_images(check), _really_good(worst, good=cause == "A", too_high=too_high)),
        alarm,
        protocol,
    )


def diagnosis_of(facts: Mapping[str, Any]) -> Diagnosis:
    """What `facts` gave, read back. Raises KeyError, TypeError for what is no such report."""
    answers = tuple(Answer(each["cause"], bool(each["found"]), str(each["text"])) for each in facts["answers"])
    alarm = None if facts["alarm"] is None else Alarm(**facts["alarm"])
    similarity = facts["similarity"]  # None where it was no finite number: JSON has none
    return Diagnosis(
        float("nan") if similarity is None else float(similarity),
        int(facts["size_px"]),
        answers,
        alarm,
        str(facts["protocol"]),
    )


def _collapsed(check: FaceCheck) -> Answer:
    """Judged on the faces that ship with the project, and on the data's: drawn faces look alike to any network that
    was trained on photographs, so there the shipped faces alone decide."""
    on_data = [check.hr.between.mean_abs_cosine, *(one.mean_abs_cosine for one in check.sizes)]
    by_health = is_collapsed(check.health.mean_abs_cosine, None, check.health.faces)
    by_data = not check.synthetic and any(is_collapsed(value, None, check.people) for value in on_data)
    finite = check.health.finite
    figures = (
        f"Mean absolute cosine between different people: {check.health.mean_abs_cosine:.2f} on the health check's "
        f"{check.health.faces} faces, {max(on_data):.2f} on this data's (healthy up to {MAX_MEAN_ABS_COSINE:.2f}); "
        f"effective rank {check.hr.effective_rank:.0f} of {len(check.hr.stds)}."
        f"{' Drawn faces are alike to any network: the health check decides.' if check.synthetic else ''}"
    )
    if not finite:
        return Answer("C", True, "Yes: its embeddings hold values that aren't finite.")
    if by_health or by_data:
        return Answer("C", True, f"Yes: different people look alike to it. {figures}")
    return Answer("C", False, f"No: different people are far apart. {figures}")


def _same_images(check: FaceCheck) -> Answer:
    nearest = max(check.sizes, key=lambda one: one.detail_db)
    made = "the data set's VLR files" if nearest.source == "stored" else "VLR images made from HR here"
    db = f"{nearest.detail_db:.0f} dB" if nearest.detail_db < 99 else "not at all"
    figures = (
        f"Of {made} those of {nearest.size_px} px, enlarged by bicubic, differ from HR by {db} "
        f"(the same from {SAME_PICTURE_DB:.0f} dB on)"
    )
    copies = sum(one.same_files for one in check.sizes)
    copied = f"; {copies:,} are their HR file byte for byte" if copies else ""
    if nearest.detail_db >= SAME_PICTURE_DB or copies:
        return Answer("B", True, f"Yes: nothing is left to restore. {figures}{copied}.")
    return Answer("B", False, f"No: they lack detail. {figures}.")


def _really_good(size: SizeCheck, *, good: bool, too_high: bool) -> Answer:
    figures = (
        f"At {size.size_px} px, enlarged by {size.enlarged_by}: cosine to the own HR {size.similarity:.3f}, to "
        f"somebody else's {size.strangers:.3f}"
    )
    if size.asked:
        first = _percent(size.right / size.asked, *size.right_interval)
        figures += f"; the right person first for {first} of {size.asked:,} faces"
        if size.bicubic_similarity != size.similarity:
            bicubic = _percent(size.bicubic_right / size.asked, *size.bicubic_right_interval)
            figures += f" (bicubic: cosine {size.bicubic_similarity:.3f}, {bicubic})"
    if not good:
        return Answer("A", False, f"Not testable while another cause is found. {figures}.")
    if too_high:
        return Answer("A", True, f"Yes: no other cause is found. {figures}.")
    return Answer("A", False, f"It isn't too good to be true. {figures}.")


def _percent(share: float, low: float, high: float) -> str:
    return f"{share * 100:.1f} % [{low * 100:.1f}, {high * 100:.1f}]"
