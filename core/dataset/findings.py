"""Results of a check: findings in words with their effect, and the rows concerned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

Severity = Literal["error", "warning", "notice"]
ORDER = {"error": 0, "warning": 1, "notice": 2}


@dataclass(frozen=True)
class Finding:
    """One finding. An "error" makes results on the data set misleading, a "warning" makes them worse, a "notice" is
    information. `rows` are the manifest's rows concerned, with further columns of what was found."""

    code: str
    severity: Severity
    text: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class Verdict:
    """All findings of a check, worst first."""

    findings: tuple[Finding, ...]
    images: int

    @property
    def ok(self) -> bool:
        """Whether no error was found."""
        return all(finding.severity != "error" for finding in self.findings)

    @property
    def clean(self) -> bool:
        """Whether neither an error nor a warning was found; notices are allowed."""
        return all(finding.severity == "notice" for finding in self.findings)

    @property
    def text(self) -> str:
        """The verdict in one line."""
        if self.clean:
            return f"No problems were found in {self.images:,} images."
        count = sum(finding.severity == self.findings[0].severity for finding in self.findings)
        word = self.findings[0].severity
        return f"{count} {word}{'s' if count > 1 else ''} in {self.images:,} images: {self.findings[0].text}"


def verdict(findings: list[Finding], images: int) -> Verdict:
    return Verdict(tuple(sorted(findings, key=lambda finding: ORDER[finding.severity])), images)


def some(count: int, noun: str) -> str:
    """ "1 image", "1,200 images"."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {'people' if noun == 'person' else noun + ('es' if noun.endswith('ch') else 's')}"
