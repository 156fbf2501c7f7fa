"""Decision records: numbered without gaps, all sections there, listed in the index; links of the documents resolve."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ADR = ROOT / "docs" / "adr"
INDEX = ADR / "README.md"
RECORDS = sorted(path for path in ADR.glob("*.md") if path != INDEX)
DOCUMENTS = sorted({*(ROOT / "docs").glob("*.md"), *ADR.glob("*.md"), *ROOT.glob("*.md")})

NAME = re.compile(r"(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.md")
STATUS = re.compile(r"proposed|accepted|rejected|deprecated|superseded by (\d{4})")
SECTIONS = ["Context", "Decision", "Consequences"]
ROW = re.compile(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+?) \| .+? \| (.+?) \|$", re.MULTILINE)
LINK = re.compile(r"\]\(([^()\s]+)\)")


def _field(text: str, name: str) -> str:
    found = re.findall(rf"^- {name}: (.+)$", text, re.MULTILINE)
    assert len(found) == 1, f"one line '- {name}: ...' expected, got {found}"
    return found[0]


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].partition(". ")[2]


def _anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub and MkDocs form them where words are separated by one space."""
    headings = re.findall(r"^#{1,6} (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_records_are_numbered_from_one_without_gaps() -> None:
    assert RECORDS
    assert all(NAME.fullmatch(path.name) for path in RECORDS), [path.name for path in RECORDS]
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_each_record_has_its_title_date_status_and_sections(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(rf"# {path.name[:4]}\. \S", text)
    assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", _field(text, "Date"))
    status = STATUS.fullmatch(_field(text, "Status"))
    assert status, "unknown status"
    if status[1]:
        assert status[1] != path.name[:4] and any(other.name.startswith(status[1]) for other in RECORDS)
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    assert parts[1::2] == SECTIONS
    assert all(part.strip() for part in parts[2::2]), "an empty section"


def test_the_index_lists_each_record_once_with_its_title_and_status() -> None:
    rows = ROW.findall(INDEX.read_text(encoding="utf-8"))
    expected = [
        (path.name[:4], path.name, _title(path), _field(path.read_text(encoding="utf-8"), "Status")) for path in RECORDS
    ]
    assert rows == expected


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_of_the_documents_resolve(path: Path) -> None:
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f"{path.name} links to {link}, which doesn't exist"
        if anchor:
            assert anchor in _anchors(file), f"{path.name} links to {link}: no such heading"
