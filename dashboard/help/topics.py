"""Topics of the Help page, parsed from help.md, with a search. Errors refer to a topic by its anchor."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SOURCE = Path(__file__).with_name("help.md")
_HEADING = re.compile(r"^## (?P<title>.+?) \{#(?P<anchor>[a-z0-9-]+)\}$")


@dataclass(frozen=True)
class Topic:
    """A question with its answer. Links and the `help_topic` of errors refer to `anchor`; `body` is Markdown."""

    anchor: str
    group: str
    title: str
    body: str


@cache
def topics() -> tuple[Topic, ...]:
    """All topics in the order of the page."""
    return parse(_SOURCE.read_text(encoding="utf-8"))


def topic(anchor: str) -> Topic | None:
    """The topic with that anchor, or None."""
    return next((found for found in topics() if found.anchor == anchor), None)


def find(query: str) -> list[Topic]:
    """Topics that contain every word of `query`, ignoring case and accents; those with a word in the title first.

    An empty query returns all topics.
    """
    words = _fold(query).split()
    found = [t for t in topics() if all(word in _fold(f"{t.title} {t.anchor} {t.body}") for word in words)]
    return sorted(found, key=lambda t: -sum(word in _fold(t.title) for word in words))


def parse(text: str) -> tuple[Topic, ...]:
    """Parse topics from a Markdown text: `# Group`, then `## Title {#anchor}` followed by the body.

    Raises ValueError for a heading without an anchor, a repeated anchor, or a topic without a group.
    """
    found: list[Topic] = []
    group = ""
    lines: list[str] = []

    def close() -> None:
        if found:
            last = found.pop()
            found.append(Topic(last.anchor, last.group, last.title, "\n".join(lines).strip()))
        lines.clear()

    for line in text.splitlines():
        if line.startswith("# "):
            close()
            group = line[2:].strip()
        elif line.startswith("## "):
            close()
            heading = _HEADING.match(line)
            if heading is None or not group:
                raise ValueError(f"Not a topic's heading, or one without a group: {line!r}")
            if any(known.anchor == heading["anchor"] for known in found):
                raise ValueError(f"The anchor {heading['anchor']!r} comes twice.")
            found.append(Topic(heading["anchor"], group, heading["title"], ""))
        else:
            lines.append(line)
    close()
    return tuple(found)


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
