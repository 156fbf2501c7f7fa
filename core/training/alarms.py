"""Alarms of a training, each with its cause and the next step: pure functions of figures. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.encoder.health import MAX_MEAN_ABS_COSINE

Severity = Literal["error", "warning", "notice"]
Cause = Literal["A", "B", "C"]

TOO_SIMILAR = 0.999
SAME_PICTURE_DB = 40.0
"""From this PSNR on, enlarged VLR is the HR image (see core.dataset.check_files)."""
WORSE_BY = 0.15
"""Permitted rise of the mean absolute cosine over the start, where the start is near the limit: drawn faces look alike
to a network trained on photographs, and random weights start at 0.4 to 0.5."""
ENOUGH_PEOPLE = 20
ACCURACY_GAP = 0.25
LOSS_GAP = 0.1


@dataclass(frozen=True)
class Alarm:
    """An alarm: what happened, its cause, and the next step, a sentence each."""

    code: str
    severity: Severity
    what: str
    cause: str
    next_step: str

    def event(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def line(self) -> str:
        mark = {"error": "✗", "warning": "!", "notice": "i"}[self.severity]
        return f"  {mark} {self.what} {self.cause} {self.next_step}"


def is_collapsed(mean_abs_cosine: float | None, at_start: float | None, people: int = ENOUGH_PEOPLE) -> bool:
    """Whether embeddings of different people have become alike: above the health check's limit and above the start.

    The limit is doubled for fewer people than ENOUGH_PEOPLE, among whom a few look-alikes weigh much.
    """
    if mean_abs_cosine is None:
        return False
    limit = MAX_MEAN_ABS_COSINE * (1 if people >= ENOUGH_PEOPLE else 2)
    return mean_abs_cosine > max(limit, (at_start or 0.0) + WORSE_BY)


def collapsed(mean_abs_cosine: float) -> Alarm:
    return Alarm(
        "collapsed",
        "error",
        "The embeddings are collapsing: different people look alike "
        f"(mean absolute cosine {mean_abs_cosine:.2f} on val faces, healthy up to {MAX_MEAN_ABS_COSINE:.2f}).",
        "The encoder gives everybody nearly the same embedding, which also raises similarity.",
        "Don't use these weights: lower the encoder's learning rate, or train against a frozen teacher (preset "
        "recommended).",
    )


def cause_of_similarity(collapsed_too: bool, bicubic_db: float | None) -> Cause:
    """Classify the cause of a very high similarity: C collapsed embeddings, B VLR files that are the HR files, else A
    good super-resolution. `bicubic_db` is the PSNR of enlarged VLR against HR."""
    if collapsed_too:
        return "C"
    return "B" if bicubic_db is not None and bicubic_db >= SAME_PICTURE_DB else "A"


def too_similar(similarity: float, collapsed_too: bool, bicubic_db: float | None) -> Alarm:
    """Alarm for a similarity of 0.999 or more, by cause (see `cause_of_similarity`)."""
    what = f"Similarity to HR is {similarity:.4f}, implausibly high."
    cause = cause_of_similarity(collapsed_too, bicubic_db)
    if cause == "C":
        return Alarm(
            "too_similar",
            "error",
            what,
            "C: the embeddings have collapsed, so every face resembles every other.",
            "Lower the learning rate or start from healthy weights; similarity is meaningless here.",
        )
    if cause == "B":
        return Alarm(
            "too_similar",
            "error",
            what,
            f"B: the VLR images are the HR images (enlarged, they differ by {bicubic_db:.0f} dB only), so there is "
            "nothing to restore.",
            "Recreate the VLR images from HR: edgeface-studio dataset ingest or degrade.",
        )
    near = "" if bicubic_db is None else f" (VLR differs from HR by {bicubic_db:.0f} dB)"
    return Alarm(
        "too_similar",
        "notice",
        what,
        f"A: the VLR images are small{near} and the embeddings tell people apart, so super-resolution really is that "
        "good.",
        "Use the EER: similarity no longer distinguishes epochs.",
    )


def vlr_not_small(sizes_px: tuple[int, ...], most_px: int) -> Alarm:
    shown = ", ".join(str(size) for size in sizes_px)
    return Alarm(
        "vlr_not_small",
        "warning",
        f"VLR images of {shown} px aren't very low resolution.",
        f"Super-resolution and these figures are about faces of up to {most_px} px.",
        "Degrade the HR images to 16, 24 or 32 px: edgeface-studio dataset ingest.",
    )


def loss_not_finite(stage: str, epoch: int) -> Alarm:
    return Alarm(
        "loss_not_finite",
        "error",
        f"The loss is no longer finite (stage {stage}, epoch {epoch}).",
        "The learning rate is too high, or values overflow the precision.",
        "Training stopped, the last good checkpoint is kept. Start again with a lower rate or --set precision=float32.",
    )


def val_took_part(known: int, people: int) -> Alarm:
    return Alarm(
        "val_took_part",
        "notice",
        f"{known:,} of {people:,} people of val were used to train the weights that this run starts from.",
        "Figures on people in the training data are too good, before training and after.",
        "Use them to compare epochs only; evaluate the weights on people who weren't used in training.",
    )


def no_shared_identities(identities: int) -> Alarm:
    return Alarm(
        "no_shared_identities",
        "notice",
        "No identity of val is in train, so there is no validation accuracy (n/a, not 0 %).",
        f"The head classifies the {identities:,} people of train only; that is no fault of the training.",
        "Use EER and similarity, or build a closed-set data set to see accuracy.",
    )


def drawn_faces() -> Alarm:
    return Alarm(
        "drawn_faces",
        "warning",
        "This run sees drawn faces only: the data set is synthetic.",
        "Its figures show that training works, not how well the weights recognise people.",
        "Train on photographs before you use the weights, or measure them on photographs first (Accuracy).",
    )


def overfitting(train: float, val: float, what: str) -> Alarm:
    return Alarm(
        "overfitting",
        "warning",
        f"Training is far ahead of validation: {what} {train:.3f} against {val:.3f}.",
        "The network memorises its training images.",
        "The best checkpoint is kept. Use more data, stronger augmentation or weight decay, or fewer epochs.",
    )


def out_of_memory(batch: int, effective: int) -> Alarm:
    """Alarm for `batch` images at once that didn't fit, of an `effective` batch over all pieces."""
    half = max(1, batch // 2)
    return Alarm(
        "out_of_memory",
        "error",
        f"A batch of {batch} images doesn't fit into memory.",
        "All images of a batch and their activations are held at once.",
        f"Try a batch of {half}: resume with half the batch keeps the effective batch of {effective} by accumulation.",
    )


@dataclass(frozen=True)
class Signals:
    """Facts about an epoch's validation that aren't figures of merit.

    Mean absolute cosine between different people now and before training, PSNR of enlarged VLR against HR, whether the
    stage trains a classifier, and the number of people in val.
    """

    mean_abs_cosine: float | None
    cosine_at_start: float | None
    bicubic_db: float | None
    classifies: bool
    people: int = ENOUGH_PEOPLE

    @property
    def collapsed(self) -> bool:
        return is_collapsed(self.mean_abs_cosine, self.cosine_at_start, self.people)


def epoch_alarms(train: Mapping[str, Any], val: Mapping[str, Any], signals: Signals) -> list[Alarm]:
    """Return every alarm that an epoch's training and validation figures raise."""
    found: list[Alarm] = []
    if signals.collapsed and signals.mean_abs_cosine is not None:
        found.append(collapsed(signals.mean_abs_cosine))
    similarity = val.get("similarity")
    if similarity is not None and similarity >= TOO_SIMILAR:
        found.append(too_similar(similarity, signals.collapsed, signals.bicubic_db))
    train_accuracy, val_accuracy = train.get("accuracy"), val.get("accuracy")
    if train_accuracy is not None and val_accuracy is not None:
        if train_accuracy - val_accuracy >= ACCURACY_GAP:
            found.append(overfitting(train_accuracy, val_accuracy, "accuracy"))
    elif not signals.classifies:
        train_loss, val_loss = train.get("teacher"), val.get("loss")
        if train_loss is not None and val_loss is not None and val_loss - train_loss >= max(LOSS_GAP, train_loss / 2):
            found.append(overfitting(train_loss, val_loss, "distance to the teacher"))
    return found
