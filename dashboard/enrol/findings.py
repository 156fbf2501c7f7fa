"""Findings shown before a person is saved. Serious ones must be acknowledged."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.gallery.review import Finding
from dashboard.shell.navigation import link
from dashboard.ui.markdown import plain

_ICONS = {
    "unlike_others": ":material/group_off:",
    "already_enrolled": ":material/content_copy:",
    "duplicate_photograph": ":material/filter_none:",
    "few_photographs": ":material/photo_library:",
}


def serious(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that must be acknowledged before saving."""
    return [finding for finding in findings if finding.serious]


def say_findings(findings: Sequence[Finding]) -> None:
    """Show each finding, the serious ones first."""
    grave = serious(findings)
    for finding in (*grave, *(each for each in findings if each not in grave)):
        show = st.warning if finding in grave else st.info
        show(plain(finding.text), icon=_ICONS[finding.code])
    if grave:
        link("help", "How to resolve this", icon=":material/help:", topic="enrol")


def may_save(findings: Sequence[Finding]) -> bool:
    """True where no finding is serious, or the serious ones were acknowledged."""
    grave = serious(findings)
    if not grave:
        return True
    # The key names the findings: other findings ask again.
    key = "enroll_agreed_" + "_".join(f"{each.code}-{each.photo}-{each.other}" for each in grave)
    return st.checkbox("I have reviewed this and want to save anyway", key=key)
