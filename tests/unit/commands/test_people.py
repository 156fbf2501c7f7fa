"""The commands on real photographs with official weights: enrol, identify, compare, carry the gallery elsewhere."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core import cli
from core.gallery.operating_points import OperatingPoint, save_operating_point
from core.gallery.store import Gallery
from core.recognition import batch

pytestmark = pytest.mark.shared

ADA, BEN = "Adrien_Brody", "Ahmed_Chalabi"


class Shell:
    """Runs command lines in this process and keeps what they printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object, code: int = 0) -> str:
        self._capsys.readouterr()
        ended = cli.run([str(argument) for argument in arguments])
        self.out, self.err = self._capsys.readouterr()
        assert ended == code, self.out + self.err
        return self.out

    def json(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Test processes run side by side: threads of each would only wait for one another."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture()
def shell(capsys: pytest.CaptureFixture[str], own_data_dir: Path, shared_dir: Path) -> Shell:
    (own_data_dir / "weights").mkdir()
    shutil.copy(shared_dir / "weights" / "edgeface_xxs_q.pt", own_data_dir / "weights" / "any name.pt")
    return Shell(capsys)


def photo(shared_dir: Path, name: str, number: int) -> Path:
    return shared_dir / "data" / "lfw" / "images" / name / f"{name}_{number:04d}.jpg"


def test_from_enrolment_to_identification(shell: Shell, shared_dir: Path, own_data_dir: Path, tmp_path: Path) -> None:
    ada = [photo(shared_dir, ADA, number) for number in (1, 2, 3)]
    told = shell.json("enroll", "--user-id", "Ada", "--photos", *ada, "--note", "a note", "--actor", "desk")
    assert (told["identity"], told["stored"], told["templates"]) == ("Ada", 3, 3)

    # The same face under another name, and a name that is taken, are refused before anything is stored.
    shell("enroll", "--user-id", "Eve", "--photos", photo(shared_dir, ADA, 4), code=2)
    assert "“Ada”" in shell.err and "--force" in shell.err and shell.err.count("\n") == 1
    shell("register", "--user-id", "ADA", "--photos", photo(shared_dir, ADA, 4), code=2)
    assert "--add" in shell.err

    people = tmp_path / "people"
    (people / "Ben").mkdir(parents=True)
    for number in (1, 2):
        shutil.copy(photo(shared_dir, BEN, number), people / "Ben" / f"{number}.jpg")
    (people / "Ben" / "broken.jpg").write_bytes(b"no picture")
    [row] = shell.json("enroll", "folder", people, "--no-crops")["people"]
    assert (row["identity"], row["offered"], row["stored"]) == ("Ben", 3, 2)
    assert [entry["file"] for entry in row["rejected"]] == ["broken.jpg"]

    unseen = [photo(shared_dir, ADA, 5), photo(shared_dir, BEN, 3), tmp_path / "none.jpg"]
    found = shell.json("identify", *unseen, "--csv", tmp_path / "found.csv", "--size", "32", "--top-k", "2")
    assert [row["identity"] if row["outcome"] == "match" else row["outcome"] for row in found["results"]] == [
        "Ada",
        "Ben",
        "unreadable",
    ]
    assert [round(row["probe_px"]) for row in found["results"][:2]] == pytest.approx([32, 32], abs=2)
    assert found["protocol"]["encoder"] == "edgeface_xxs_q" and found["protocol"]["gallery_size"] == 2
    table = list(csv.DictReader(io.StringIO((tmp_path / "found.csv").read_text("utf-8-sig"))))
    assert [row["outcome"] for row in table] == ["match", "match", "unreadable"]
    assert table[0]["identity"] == "Ada" and float(table[0]["score"]) >= float(table[0]["threshold"])

    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        assert [entry.actor for entry in gallery.audit()] == ["local", "desk"]
        assert gallery.identity("ada").note == "a note"
        assert [gallery.identity(name).has_crops for name in ("Ada", "Ben")] == [True, False]
        assert all("/" not in template.source for template in gallery.templates("Ada")), "no paths of this machine"


def test_a_person_enrolled_with_other_settings_is_said(shell: Shell, shared_dir: Path) -> None:
    shell("enroll", "--user-id", "Ada", "--photos", photo(shared_dir, ADA, 1), "--use-tta")
    out = shell("identify", photo(shared_dir, ADA, 2))
    assert "unknown" in out and "0 people in the gallery" in out
    assert "1 of 1 person was enrolled with other weights or settings" in shell.err
    assert "Ada" in shell("identify", photo(shared_dir, ADA, 2), "--use-tta")
    assert "1 person in the gallery" in shell.out


def test_one_is_singular(shell: Shell, shared_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "people" / "Ada").mkdir(parents=True)
    shutil.copy(photo(shared_dir, ADA, 1), tmp_path / "people" / "Ada")
    out = shell("enroll", "folder", tmp_path / "people")
    assert "Ada: 1 of 1 photograph\n" in out and "Enrolled 1 of 1 person, 1 photograph." in out
    assert "1 of 1 photograph stored" in shell("enroll", "--user-id", "Ben", "--photos", photo(shared_dir, BEN, 1))
    shell("gallery", "remove", "Ben", "--yes")
    assert ": 1 person, 1 template, " in shell("gallery", "backup")
    assert "1 person.\n" in shell("gallery", "list")


def test_ctrl_c_leaves_the_rows_that_were_done(
    shell: Shell, shared_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("enroll", "--user-id", "Zoë", "--photos", photo(shared_dir, ADA, 1))
    odd = tmp_path / b"odd\xff.jpg".decode("utf-8", "surrogateescape")
    shutil.copy(photo(shared_dir, ADA, 2), odd)
    real = batch.recognise_files

    def cut_short(*given: Any, **more: Any) -> Iterator[batch.FileResult]:
        for number, result in enumerate(real(*given, **more)):
            if number == 2:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(batch, "recognise_files", cut_short)
    unseen = [photo(shared_dir, ADA, 3), odd, photo(shared_dir, ADA, 4)]
    target = tmp_path / "found.csv"
    shell("identify", *unseen, "--csv", target, code=cli.INTERRUPTED)
    assert target.read_bytes().startswith(b"\xef\xbb\xbffile,")
    table = list(csv.DictReader(io.StringIO(target.read_text("utf-8-sig"))))
    assert [(row["identity"], Path(row["file"]).name) for row in table] == [
        ("Zoë", f"{ADA}_0003.jpg"),
        ("Zoë", "odd?.jpg"),
    ]
    assert f"{target} has 2 rows" in shell.err
    shell("identify", *unseen, "--csv", "-", code=cli.INTERRUPTED)
    assert shell.out.startswith("file,face,outcome,") and shell.out.count("\n") == 3


def test_a_csv_that_cannot_be_written_is_said_before_anything_is_looked_at(
    shell: Shell, shared_dir: Path, tmp_path: Path
) -> None:
    shell("enroll", "--user-id", "Ada", "--photos", photo(shared_dir, ADA, 1))
    shell("identify", photo(shared_dir, ADA, 2), "--csv", tmp_path / "no folder" / "found.csv", code=2)
    assert "couldn't be written" in shell.err and "match" not in shell.out


def test_one_face_under_two_names_is_too_close_to_tell(shell: Shell, shared_dir: Path, tmp_path: Path) -> None:
    shell("enroll", "--user-id", "Ada", "--photos", photo(shared_dir, ADA, 1))
    shell("enroll", "--user-id", "Ben", "--photos", photo(shared_dir, ADA, 1), "--force")
    target = tmp_path / "found.csv"
    out = shell("identify", photo(shared_dir, ADA, 2), "--csv", target)
    assert "tie (Ada or Ben: too close to tell" in out and "0 match, 1 tie, 0 unknown" in out
    [row] = csv.DictReader(io.StringIO(target.read_text("utf-8-sig")))
    assert (row["outcome"], row["identity"], row["possible"]) == ("tie", "", "Ada; Ben")
    [found] = shell.json("identify", photo(shared_dir, ADA, 2), "--tie-margin", "0")["results"]
    assert (found["outcome"], found["possible"]) == ("tie", ["Ada", "Ben"]), "equal templates tie at any margin"
    [found] = shell.json("identify", photo(shared_dir, BEN, 1), "--tie-margin", "0")["results"]
    assert (found["outcome"], found["possible"]) == ("unknown", [])
    shell("identify", photo(shared_dir, ADA, 2), "--tie-margin", "2", code=2)


def test_one_name_is_once_in_a_photograph(shell: Shell, shared_dir: Path, tmp_path: Path) -> None:
    shell("enroll", "--user-id", "Ada", "--photos", photo(shared_dir, ADA, 1))
    halves = [Image.open(photo(shared_dir, ADA, number)) for number in (1, 2)]
    group = Image.new("RGB", (500, 250))
    for place, half in enumerate(halves):
        group.paste(half, (250 * place, 0))
    group.save(tmp_path / "group.png")
    rows = shell.json("identify", tmp_path / "group.png", "--all-faces")["results"]
    told = sorted((row["outcome"], row["identity"], row["possible"]) for row in rows if row["outcome"] != "unknown")
    assert told == [("match", "Ada", []), ("repeat", None, ["Ada"])]
    match, repeat = (next(row for row in rows if row["outcome"] == each) for each in ("match", "repeat"))
    assert match["score"] > repeat["score"] and "another face of this photograph" in repeat["reason"]


def test_the_threshold_that_decided_is_told_and_why_it_is_not_calibrated(
    shell: Shell, shared_dir: Path, own_data_dir: Path, tmp_path: Path
) -> None:
    asked = ("identify", photo(shared_dir, ADA, 2))
    shell("enroll", "--user-id", "Ada", "--photos", photo(shared_dir, ADA, 1))
    assert "Threshold 0.35 (default, not calibrated), 1 person" in shell(*asked)
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        [(space, _, _)] = gallery.spaces()
        used = replace(space, upscaler="bicubic")
        save_operating_point(gallery, used, OperatingPoint(40, 10_000, "fpir", 0.01, 1, 0.45, "run"))
    assert "Threshold 0.45 (calibrated), 1 person" in shell(*asked)
    assert "Threshold 0.30 (given), 1 person" in shell(*asked, "--threshold", "0.3")
    shell("enroll", "--user-id", "Ada", "--photos", photo(shared_dir, ADA, 3), "--add", "--matched-sizes")
    target = tmp_path / "found.csv"
    assert "Threshold 0.45 (not calibrated for this gallery), 1 person" in shell(*asked, "--csv", target)
    [row] = csv.DictReader(io.StringIO(target.read_text("utf-8-sig")))
    assert row["calibrated"] == "False" and "matched ones at 32, 24 and 16 px" in row["warning"]
    assert row["warning"] in shell.err


def test_compare_says_same_different_or_cannot_say(shell: Shell, shared_dir: Path, tmp_path: Path) -> None:
    same = shell.json("compare", photo(shared_dir, ADA, 1), photo(shared_dir, ADA, 2))
    other = shell.json("compare", photo(shared_dir, ADA, 1), photo(shared_dir, BEN, 1))
    assert same["same"] is True and same["score"] >= same["threshold"] == 0.35
    assert other["same"] is False and other["score"] < 0.35
    blank = tmp_path / "blank.png"
    Image.new("RGB", (200, 200), "white").save(blank)
    nobody = shell.json("compare", photo(shared_dir, ADA, 1), blank)
    assert nobody["same"] is None and nobody["score"] is None and "no face found" in nobody["reason"]


def test_a_gallery_goes_elsewhere_and_back(shell: Shell, shared_dir: Path, tmp_path: Path) -> None:
    shell("enroll", "--user-id", "Ada", "--photos", photo(shared_dir, ADA, 1), photo(shared_dir, ADA, 2))
    shell("gallery", "rename", "ada", "Ada King")
    portable, plain, other = tmp_path / "a.efgallery", tmp_path / "a.pt", tmp_path / "other.db"
    shell("gallery", "export", portable)
    shell("gallery", "export", plain)
    shell("gallery", "import", portable, "--gallery-path", other)
    assert [person["name"] for person in shell.json("gallery", "list", "--gallery-path", other)] == ["Ada King"]
    shell("gallery", "import", plain, "--gallery-path", other, "--on-conflict", "rename")
    assert "edgeface_xxs_q" in shell.err, "whose embeddings they are taken for"
    names = [person["name"] for person in shell.json("gallery", "list", "--gallery-path", other)]
    assert names == ["Ada King", "Ada King (2)"]
    shell("gallery", "remove", *names, "--yes", "--gallery-path", other)
    assert shell.json("gallery", "list", "--gallery-path", other) == []
    assert shell.json("gallery", "audit", "--gallery-path", other)[0]["event"] == "removed"


def test_weights_are_told_apart_by_content(shell: Shell, shared_dir: Path, own_data_dir: Path) -> None:
    listed = shell.json("weights", "list")
    assert [(file["name"], file["official"], file["in_use"]) for file in listed["files"]] == [
        ("any name", "edgeface_xxs_q", True)
    ]
    assert "CC BY-NC-SA" in listed["licence"] and "BSD 3-Clause" in listed["licence"]
    facts = shell.json("weights", "info", "any name")
    assert (facts["variant"], facts["kind"]) == ("edgeface_xxs_q", "int8 state dict")
    assert (facts["missing"], facts["unexpected"], facts["parameters"]) == (0, 0, 1_244_744)
    assert facts["health"]["healthy"] is True
    assert shell.json("weights", "use", shared_dir / "weights" / "edgeface_xs_q.pt")["official"] == "edgeface_xs_q"
    assert (own_data_dir / "weights" / "edgeface_xs_q.pt").is_file()
    assert "complete edgeface_xs_q, healthy" in shell("weights", "verify", "edgeface_xs_q")


def test_pairs_are_evaluated(shell: Shell, shared_dir: Path, tmp_path: Path) -> None:
    lines = ["1\t3"]
    lines += [f"{ADA}\t1\t2", f"{ADA}\t3\t4", f"{BEN}\t1\t2"]
    lines += [f"{ADA}\t{number}\t{BEN}\t{number}" for number in (1, 2, 3)]
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("\n".join(lines) + "\n")
    images = shared_dir / "data" / "lfw" / "images"
    report = shell.json(
        "evaluate",
        "pairs",
        images,
        pairs,
        "--sizes",
        "HR,32",
        "--mode",
        "aligned",
        "--bootstrap",
        0,
        "--out",
        tmp_path / "out",
    )
    assert report["protocol"]["pairs"] == 6 and report["protocol"]["systems"][0]["encoder"] == "edgeface_xxs_q"
    assert {row["pairing"] for row in report["figures"]["verification"]} == {"HR-HR", "VLR-VLR", "VLR-HR"}
    assert (tmp_path / "out" / "report.json").is_file()
