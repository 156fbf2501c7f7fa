"""Checks of the table: identities by split, images per person, incomplete pairs."""

from __future__ import annotations

from collections.abc import Sized

import pandas as pd

from core.dataset.columns import among
from core.dataset.findings import Finding, some
from core.dataset.layout import HR, VLR
from core.dataset.run_config import DISJOINT_SHARES, MIN_IMAGES
from core.gallery.validation import name_key

IMBALANCE = 10
"""A person with this many times the median number of train images outweighs the others."""


FEW_PEOPLE = 20
"""With fewer people held back an interval spans fifteen points or more, even without an error."""

_SQUARE = 1.96**2
"""Wilson's upper bound of 0 of n is z^2 / (n + z^2)."""


def check_identities(frame: pd.DataFrame, mode: str) -> list[Finding]:
    """Check the identities of train, val and test against the mode."""
    hr = _hr(frame)
    train = set(hr.loc[hr["split"] == "train", "identity"])
    held = {split: set(hr.loc[hr["split"] == split, "identity"]) for split in ("val", "test")}
    val = held["val"]
    if not train or not (val or held["test"]):
        return []
    findings: list[Finding] = []
    if mode == "identity-disjoint":
        shared = (train & val) | (train & held["test"]) | (val & held["test"])
        if shared:
            findings.append(
                Finding(
                    "identity_overlap",
                    "error",
                    f"{some(len(shared), 'person')} {_is(shared)} in more than one split of an identity-disjoint set: "
                    "validation will look better than it is on strangers. Move all their images to one split.",
                    hr[among(hr["identity"], shared)],
                )
            )
    elif mode == "closed-set" or (mode == "as-found" and train & val):
        strangers = val - train
        if strangers:
            findings.append(_strangers(hr, strangers, val, "error"))
    elif mode == "as-found" and val:
        findings.append(_strangers(hr, val, val, "warning"))
    return findings


def _strangers(hr: pd.DataFrame, strangers: set[str], val: set[str], severity: str) -> Finding:
    if strangers == val:
        text = (
            "Validation accuracy will stay at 0 %: nobody in val is in train. "
            "Judge by the EER, or build closed-set from this set."
        )
    else:
        lost = among(hr.loc[hr["split"] == "val", "identity"], strangers).mean()
        text = (
            f"{some(len(strangers), 'person')} in val {_is(strangers)} not in train: {100 * lost:.0f} % of the "
            "validation images can never be right. Move some of their images to train, or build closed-set."
        )
    rows = hr[(hr["split"] == "val") & among(hr["identity"], strangers)]
    return Finding("identity_missing", "error" if severity == "error" else "warning", text, rows)


def check_look_alikes(frame: pd.DataFrame) -> list[Finding]:
    """Find names that differ only in case, spacing or Unicode form."""
    names = pd.Series(sorted(frame["identity"].unique()), dtype="str")
    again = names[names.map(name_key).duplicated(keep=False)]
    if again.empty:
        return []
    text = (
        f"Names that differ only in case, spacing or the form of an accent: {', '.join(again[:4])}. If that is one "
        "person, training pushes their images apart. Give one person one spelling."
    )
    return [Finding("name_case", "error", text, frame[among(frame["identity"], set(again))])]


def check_amounts(frame: pd.DataFrame, mode: str) -> list[Finding]:
    """Find too few people or images to learn from, and people who outweigh the others."""
    hr = _hr(frame)
    people = hr["identity"].nunique()
    if people < 2:
        text = "There is only one person, so people can't be compared. Add people."
        return [Finding("few_people", "error", text, hr)]
    findings: list[Finding] = []
    learnt = hr[hr["split"].isin(("train", ""))]
    if mode in ("closed-set", "identity-disjoint"):
        findings += [
            Finding("empty_split", "error", f"No image is in {split}. Build it again.", hr.head(0))
            for split in ("train", "val")
            if not (hr["split"] == split).any()
        ]
    counts = learnt["identity"].value_counts()
    few = counts[counts < MIN_IMAGES - 1]
    if mode == "closed-set" and len(few):
        text = (
            f"{some(len(few), 'person')} {_has(few)} fewer than {MIN_IMAGES - 1} images in train: too few to learn "
            "from. Add images, or build with --min-images 5."
        )
        findings.append(Finding("few_images", "warning", text, learnt[among(learnt["identity"], set(few.index))]))
    if len(counts) and counts.max() > IMBALANCE * counts.median():
        text = (
            f"Images a person go from {counts.min()} to {counts.max()}, median {counts.median():.0f}: the accuracy of "
            "all images is mostly that of a few people. Read it per person."
        )
        many = counts[counts > IMBALANCE * counts.median()]
        findings.append(Finding("imbalance", "notice", text, learnt[among(learnt["identity"], set(many.index))]))
    return findings


def check_comparable(frame: pd.DataFrame, mode: str) -> list[Finding]:
    """Check that val and test have genuine and impostor pairs to measure error rates, and enough people for useful
    intervals. A closed set is measured by accuracy over train's people."""
    hr = _hr(frame)
    if hr["identity"].nunique() < 2 or mode == "closed-set":
        return []
    if not (hr["split"] != "").any():
        return [_not_split(hr)]
    findings = (_held_back(hr[hr["split"] == split], split) for split in ("val", "test"))
    return [finding for finding in findings if finding is not None]


def _not_split(hr: pd.DataFrame) -> Finding:
    people = hr["identity"].nunique()
    text = f"It isn't split yet: {some(people, 'person')} and {some(len(hr), 'image')}, none in train. Build a split."
    held = int(people * DISJOINT_SHARES["val"] + 0.5)
    if held < 2:
        text += (
            f" Identity-disjoint would leave 1 of {people} people each in val and test, where no two people "
            "could be compared: build closed-set, or add people."
        )
    return Finding("not_split", "warning", text, hr.head(0))


def _held_back(rows: pd.DataFrame, split: str) -> Finding | None:
    counts = rows["identity"].value_counts()
    people = len(counts)
    if not people:
        return None
    genuine = int((counts * (counts - 1)).sum()) // 2
    impostor = (len(rows) ** 2 - int((counts**2).sum())) // 2
    held = f"{split} has {some(people, 'person')} and {some(len(rows), 'image')}"
    if not genuine or not impostor:
        missing = "two people to compare" if not impostor else "two images of one person to compare"
        text = f"{held}: no {missing}, so that no error rate can be measured there. Add people, or build closed-set."
        return Finding("nobody_to_compare", "warning", text, rows)
    if people >= FEW_PEOPLE:
        return None
    bound = _SQUARE / (people + _SQUARE)
    text = (
        f"{held}: {genuine:,} pairs of one person, {impostor:,} of two. Even without one error an error rate of up to "
        f"{bound * 100:.0f} % couldn't be excluded (95 %): figures there say little. Hold back {FEW_PEOPLE} people."
    )
    return Finding("few_to_compare", "notice", text, rows)


def check_pairing(frame: pd.DataFrame) -> list[Finding]:
    """Find VLR images whose HR image is missing, in another split or of another person, and HR images without VLR."""
    hr, vlr = _hr(frame), frame[frame["kind"] == VLR]
    findings: list[Finding] = []
    lonely = vlr[~among(vlr["pair"], set(hr["pair"]))]
    if len(lonely):
        text = f"{some(len(lonely), 'VLR image')} {_has(lonely)} no HR image: nothing to learn from. Take them out."
        findings.append(Finding("vlr_without_hr", "error", text, lonely))
    if len(vlr) and len(hr[~among(hr["pair"], set(vlr["pair"]))]):
        alone = hr[~among(hr["pair"], set(vlr["pair"]))]
        text = (
            f"{some(len(alone), 'HR image')} {_has(alone)} no VLR image. Recipes that read these from files leave "
            "them out; others make small images as they train."
        )
        findings.append(Finding("hr_without_vlr", "warning", text, alone))
    joined = vlr.merge(hr.drop_duplicates("pair")[["pair", "identity", "split"]], on="pair", suffixes=("", "_of_hr"))
    torn = joined[(joined["identity"] != joined["identity_of_hr"]) | (joined["split"] != joined["split_of_hr"])]
    if len(torn):
        text = f"{some(len(torn), 'VLR image')} {_is(torn)} listed under another person or split than the HR image."
        findings.append(Finding("pair_torn", "error", text, torn))
    return findings


def _hr(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["kind"] == HR]


def _is(found: Sized) -> str:
    return "is" if len(found) == 1 else "are"


def _has(found: Sized) -> str:
    return "has" if len(found) == 1 else "have"
