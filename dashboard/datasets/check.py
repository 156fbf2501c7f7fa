"""The result of a data set's check: the verdict and the findings with the images concerned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.dataset.check_cache import StoredVerdict
from core.dataset.findings import Finding, Verdict
from core.dataset.layout import HR, VLR
from core.dataset.manifest import Dataset
from core.system.text import count
from dashboard.shell.datasets import SYNTHETIC
from dashboard.ui.markdown import plain, shorten
from dashboard.ui.pictures import Picture, faces, picture_of_file

ROWS_SHOWN = 12
_WIDTH_PX = 96

_ICONS = {"error": ":material/dangerous:", "warning": ":material/warning:", "notice": ":material/info:"}

_TITLES = {
    "identity_overlap": "People in more than one split",
    "identity_missing": "People in val who aren't in train",
    "duplicate_exact": "The same file in two splits",
    "duplicate_near": "The same image in two splits",
    "two_names": "One image under two names",
    "vlr_without_hr": "VLR without HR",
    "hr_without_vlr": "HR without VLR",
    "pair_torn": "Incomplete pairs",
    "wrong_pair": "Wrong pairs",
    "hr_as_vlr": "HR images listed as VLR",
    "unreadable": "Files that can't be read",
    "odd_size": "Unexpected sizes",
    "changed": "Changed files",
    "name_case": "Names that differ only in case or spacing",
    "few_people": "Too few people",
    "empty_split": "Empty split",
    "not_split": "Not split yet",
    "nobody_to_compare": "Nothing to compare",
    "few_to_compare": "Few people to compare",
    "few_images": "Too few images",
    "imbalance": "Unequal numbers of images",
}


def verdict_panel(dataset: Dataset, kept: StoredVerdict) -> str:
    """Show the verdict, then the findings with their images, the most severe first. Returns a sentence on when the data
    set was checked."""
    verdict = kept.verdict
    synthetic = f" {SYNTHETIC}." if dataset.info.synthetic else ""
    checked = f"Checked {kept.at.astimezone():%-d %B %Y, %H:%M}: {count(verdict.images, 'image')}.{synthetic}"
    if not verdict.ok:
        st.error(
            f"**Don't train on this data set: its figures would be misleading.**\n{_listed(verdict, 'error')}",
            icon=":material/dangerous:",
        )
    elif verdict.clean:
        st.success("**Ready for training.** No problems were found.", icon=":material/verified:")
    else:
        st.warning(f"**Usable with care.**\n{_listed(verdict, 'warning')}", icon=":material/warning:")
    for number, finding in enumerate(verdict.findings):
        _finding(dataset, finding, kept.totals[number], number)
    return checked


def _listed(verdict: Verdict, severity: str) -> str:
    return "".join(f"\n- {plain(found.text)}" for found in verdict.findings if found.severity == severity)


def _finding(dataset: Dataset, finding: Finding, total: int, number: int) -> None:
    title = _TITLES.get(finding.code, finding.code.replace("_", " ").capitalize())
    label = f"{title} ({count(total, 'image')})" if total else title
    box = st.expander(
        label, icon=_ICONS[finding.severity], key=f"dataset_finding_{number}_{finding.code}", on_change="rerun"
    )
    if not box.open:
        return
    with box:
        st.markdown(plain(finding.text))
        rows = evidence(finding)
        if rows.empty:
            return
        shown = [_pictures(dataset, row) for row in rows.to_dict("records")]
        faces([found[0] for found in shown if len(found) == 1], _WIDTH_PX)
        for beside in shown:
            if len(beside) > 1:
                faces(beside, _WIDTH_PX)
        if total > len(rows):
            st.caption(
                f"Showing {len(rows)} of {total:,}. List all of them with `edgeface-studio dataset check NAME --json`."
            )


def evidence(finding: Finding) -> pd.DataFrame:
    """The rows to show: at most ROWS_SHOWN, and one per person and split where people are in several splits."""
    rows = finding.rows
    if finding.code == "identity_overlap" and len(rows):
        rows = rows.sort_values("identity", kind="stable").drop_duplicates(["identity", "split"])
    return rows.head(ROWS_SHOWN)


def _pictures(dataset: Dataset, row: dict[Any, Any]) -> list[Picture]:
    """The image of a row, followed by the images it conflicts with."""
    facts = " · ".join(each for each in (str(row["identity"]), str(row["split"]), _kind(row)) if each)
    found = [_one(dataset, str(row["path"]), facts, str(row.get("problem") or ""))]
    for column, word in (("other_path", "the same image"), ("fits_better", "fits better")):
        other = str(row.get(column) or "")
        if other:
            who = str(row.get("other_identity") or "")
            where = str(row.get("other_split") or "")
            found.append(_one(dataset, other, " · ".join(each for each in (who, where, word) if each), ""))
    if row["kind"] == VLR:
        frame = dataset.frame
        mates = frame[(frame["pair"] == row["pair"]) & (frame["kind"] == HR)]
        if len(mates):
            found.append(_one(dataset, str(mates.iloc[0]["path"]), "its HR", ""))
    return found


def _kind(row: dict[Any, Any]) -> str:
    return f"{str(row['kind']).upper()} {row['size_px']} px" if row.get("size_px") else str(row["kind"]).upper()


def _one(dataset: Dataset, path: str, facts: str, problem: str) -> Picture:
    address = picture_of_file(dataset.file(path)) or _BLANK
    return Picture(address, f"{problem or facts} · {shorten(Path(path).name, 40)}", f"Image {path}", pixels=True)


_BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
