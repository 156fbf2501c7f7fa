"""Accuracy of a classification head: over people that it knows, and never "0 %" for those that it doesn't."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from core.evaluation.head import HeadUnusable, find_head, head_accuracy, read_head
from core.evaluation.intervals import wilson

WEIGHT = np.array([[2, 0], [0, 5]], np.float32)


def write(path: Path, weight: np.ndarray = WEIGHT, **metadata: str) -> Path:
    said = {"subject_to_id": json.dumps({"Ada": 0, "Bo": 1}), **metadata}
    save_file({"weight": weight}, str(path), said)
    return path


def test_the_highest_cosine_names_whatever_a_rows_length(tmp_path: Path) -> None:
    head = read_head(write(tmp_path / "head.safetensors"))
    vectors = np.array([[0.8, 0.6], [0.1, 0.9], [0.9, 0.1], [1, 0]], np.float32)
    told = head_accuracy(head, vectors, ["Ada", "Bo", "Bo", "Cy"])
    # 0.8 x 2 is less than 0.6 x 5, but the cosine is larger: rows count by direction alone.
    assert told.accuracy == pytest.approx(2 / 3)
    assert (told.shared, told.identities, told.images) == (2, 2, 3)


def test_its_interval_is_over_people_however_many_photographs_each_has(tmp_path: Path) -> None:
    head = read_head(write(tmp_path / "head.safetensors"))
    names, vectors = ["Ada", "Bo"] * 50, np.array([[1, 0], [0, 1]] * 50, np.float32)
    right = head_accuracy(head, vectors, names)
    assert (right.accuracy, right.accuracy_low, right.accuracy_high) == (1.0, *wilson(2, 2))
    half = head_accuracy(head, vectors[:, [0, 0]], names)
    assert half.accuracy == 0.5 and half.accuracy_low is not None and half.accuracy_low < wilson(50, 100)[0]
    assert head_accuracy(head, vectors, names, resamples=0).accuracy_low is None


def test_without_shared_identities_there_is_no_accuracy(tmp_path: Path) -> None:
    told = head_accuracy(read_head(write(tmp_path / "head.safetensors")), np.eye(2, dtype=np.float32), ["X", "Y"])
    assert told.accuracy is None and told.shared == 0


def test_a_head_is_found_beside_its_encoder(tmp_path: Path) -> None:
    assert find_head(tmp_path / "encoder.safetensors") is None
    path = write(tmp_path / "head.safetensors")
    assert find_head(tmp_path / "encoder.safetensors") == path


@pytest.mark.parametrize("names", ["{}", "[1]", "none", '{"Ada": 0}', '{"Ada": 0, "Bo": 2}'])
def test_a_head_that_does_not_say_whose_rows_it_holds(names: str, tmp_path: Path) -> None:
    with pytest.raises(HeadUnusable):
        read_head(write(tmp_path / "head.safetensors", subject_to_id=names))
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(HeadUnusable, match="readable"):
        read_head(tmp_path / "text.safetensors")
