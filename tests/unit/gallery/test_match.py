"""Search is exact, keeps to its space, and sees every change, whoever made it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import SettingsInvalid
from core.gallery import Gallery, NewTemplate, Space, SpaceMismatch, TemplateInvalid
from core.gallery.match import LEAST_WEIGHT, mean_of, weights_of

pytestmark = pytest.mark.both_databases

DIM = 4
SMALL = Space("tiny", "t" * 64, "bicubic", False, dim=DIM)


def unit(values: list[float]) -> np.ndarray:
    vector = np.array(values, np.float64)
    norm = np.linalg.norm(vector)
    vector = vector / norm if norm > 1e-3 else np.eye(len(values))[0]
    return vector.astype(np.float32)


vectors = st.lists(st.floats(-1, 1, width=32), min_size=DIM, max_size=DIM).map(unit)
measured = st.sampled_from([None, 0.0, 0.3, 0.62, 1.0])
photographs_of_one = st.lists(st.tuples(vectors, st.sampled_from([None, 16, 24]), measured), min_size=1, max_size=4)
people = st.lists(photographs_of_one, min_size=0, max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(people, st.lists(vectors, min_size=1, max_size=4), st.integers(1, 10))
def test_search_agrees_with_a_loop_over_everybody(crowd, probes, k):
    with Gallery.open(":memory:") as gallery:
        for number, photographs in enumerate(crowd):
            stored = [
                NewTemplate(vector, "hr" if size is None else "sr", 50.0, size, recognisability=known)
                for vector, size, known in photographs
            ]
            gallery.enrol(f"p{number}", stored, space=SMALL)
        found = gallery.search(np.stack(probes), SMALL, k)
    for probe, candidates in zip(probes, found, strict=True):
        expected = {}
        for number, photographs in enumerate(crowd):
            groups: dict[int | None, list[tuple[np.ndarray, float | None]]] = {}
            for vector, size, known in photographs:
                groups.setdefault(size, []).append((vector.astype(np.float64), known))
            best = -2.0
            for group in groups.values():
                said = [max(known, LEAST_WEIGHT) for _, known in group if known is not None]
                usual = sum(said) / len(said) if said else 1.0
                weights = [usual if known is None else max(known, LEAST_WEIGHT) for _, known in group]
                total = sum(w * vector for w, (vector, _) in zip(weights, group, strict=True)) / sum(weights)
                length = np.linalg.norm(total)
                mean = total / length if length > 1e-6 else group[int(np.argmax(weights))][0]
                best = max(best, float(mean @ probe))
            expected[f"p{number}"] = best
        ranking = sorted(expected.values(), reverse=True)[:k]
        assert [candidate.score for candidate in candidates] == pytest.approx(ranking, abs=1e-5)
        for candidate in candidates:
            assert candidate.score == pytest.approx(expected[candidate.name], abs=1e-5)


def test_the_score_is_the_best_mean_and_says_which(gallery, space, person, templates):
    full, small = person(1, 3), person(2, 3)
    gallery.enrol("Ada", templates(full) + templates(small, size_px=24), space=space)
    by_hand = small.astype(np.float64).mean(axis=0)
    by_hand /= np.linalg.norm(by_hand)
    [[candidate]] = gallery.search(small[:1], space)
    assert (candidate.name, candidate.kind, candidate.size_px) == ("Ada", "sr", 24)
    assert candidate.score == pytest.approx(float(by_hand @ small[0]), abs=1e-6)
    [[candidate]] = gallery.search(full[:1], space)
    assert (candidate.kind, candidate.size_px) == ("hr", None)


def test_templates_of_other_weights_upscaler_or_flip_never_meet(gallery, space, person, templates):
    gallery.enrol("Full", templates(person(1)), space=space)
    gallery.enrol("Small", templates(person(2), size_px=16), space=space)

    def names(asked: Space) -> set[str]:
        return {candidate.name for candidate in gallery.search(person(1)[:1], asked)[0]}

    assert names(space) == {"Full", "Small"}
    assert names(replace(space, encoder_name="renamed file")) == {"Full", "Small"}
    assert names(replace(space, upscaler="d" * 64)) == {"Full"}
    assert names(replace(space, flip_tta=False)) == set()
    assert names(replace(space, weights_sha256="b" * 64)) == set()


def test_another_gallery_objects_changes_are_seen(path, space, person, templates):
    with Gallery.open(path) as here, Gallery.open(path) as there:
        assert here.search(person(1), space) == [[], [], []]
        there.enrol("Ada", templates(person(1)), space=space)
        assert here.search(person(1), space)[0][0].score > 0.8
        there.rename("Ada", "Augusta")
        assert here.search(person(1), space)[0][0].name == "Augusta"
        there.add_templates("Augusta", templates(person(2)), space=space)
        assert here.search(person(2), space)[0][0].score > 0.4
        here.enrol("Bob", templates(person(3)), space=space)
        assert there.search(person(3), space)[0][0].name == "Bob"
        there.remove("Augusta")
        assert [candidate.name for candidate in here.search(person(1), space)[0]] == ["Bob"]
        there.remove_template(there.templates("Bob")[0].id)
        left = person(3)[1:].astype(np.float64).mean(axis=0)
        expected = float(left @ person(3)[1] / np.linalg.norm(left))
        assert here.search(person(3)[1], space)[0][0].score == pytest.approx(expected, abs=1e-6)


def test_the_index_is_kept_while_nothing_changes(gallery, space, person, templates):
    gallery.enrol("Ada", templates(person(1)), space=space)
    first = gallery.index(space)
    assert gallery.index(space) is first
    gallery.enrol("Bob", templates(person(2)), space=space)
    second = gallery.index(space)
    assert (first.size, second.size) == (1, 2)
    assert second.everyone.tolist() == [1, 2]


def test_what_was_rolled_back_is_not_remembered(gallery, space, person, templates):
    gallery.enrol("Ada", templates(person(1)), space=space)
    gallery.index(space)
    with pytest.raises(RuntimeError), gallery.database.transaction():
        gallery.enrol("Bob", templates(person(2)), space=space)
        assert gallery.search(person(2), space)[0][0].name == "Bob"
        raise RuntimeError("the caller changed its mind")
    assert gallery.names_in(space) == ["Ada"]
    gallery.enrol("Cyd", templates(person(3)), space=space)
    assert gallery.search(person(3), space)[0][0].score > 0.8


def test_probes_that_cannot_be_compared_are_refused(gallery, space, person, templates):
    gallery.enrol("Ada", templates(person(1)), space=space)
    with pytest.raises(SpaceMismatch):
        gallery.search(np.ones((1, 128), np.float32), space)
    with pytest.raises(TemplateInvalid):
        gallery.search(np.full((1, 512), np.nan, np.float32), space)
    with pytest.raises(TemplateInvalid):
        gallery.search(np.ones((1, 512), np.float32), space)
    with pytest.raises(SettingsInvalid):
        gallery.search(person(1), space, k=0)
    assert gallery.search(np.zeros((0, 512), np.float32), space) == []


def test_many_probes_are_taken_in_blocks(gallery, space, person, templates, monkeypatch):
    for number in range(7):
        gallery.enrol(f"p{number}", templates(person(number)), space=space)
    probes = np.concatenate([person(number) for number in range(7)])
    whole = gallery.search(probes, space, 3)
    monkeypatch.setattr("core.gallery.match._BLOCK_BYTES", 4 * 7 * 2)
    assert [[c.name for c in row] for row in gallery.search(probes, space, 3)] == [[c.name for c in r] for r in whole]


def test_equal_scores_come_in_the_order_of_enrolment(gallery, space, person, templates):
    for number in range(6):
        gallery.enrol(f"p{number}", templates(person(1)), space=space)
    assert [candidate.name for candidate in gallery.search(person(1), space, 3)[0]] == ["p0", "p1", "p2"]


def test_a_mean_weighs_its_templates_by_recognisability(gallery, space, person, templates):
    rows = person(1, 2)
    gallery.enrol("Ada", templates(rows, measured=[0.9, 0.3]), space=space)
    by_hand = 0.9 * rows[0].astype(np.float64) + 0.3 * rows[1]
    [mean] = gallery.index(space).means(0)[0]
    assert mean == pytest.approx(by_hand / np.linalg.norm(by_hand), abs=1e-6)


def test_without_recognisability_the_mean_is_the_plain_one_to_the_last_bit(gallery, space, person, templates):
    for number in range(20):
        gallery.enrol(f"p{number}", templates(person(number, 1 + number % 5)), space=space)
    index = gallery.index(space)
    for number in range(20):
        rows = person(number, 1 + number % 5)
        total = rows[0].astype(np.float64)
        for row in rows[1:]:
            total += row
        total /= len(rows)
        plain = rows[0] if len(rows) == 1 else (total / np.sqrt(np.einsum("i,i->", total, total))).astype(np.float32)
        assert np.array_equal(index.means(number)[0][0], plain)


def test_a_template_that_was_not_measured_weighs_as_its_neighbours_do():
    measured = np.array([0.4, np.nan, 0.8, np.nan, np.nan, 0.0])
    assert weights_of(measured, [0, 3, 5]) == pytest.approx([0.4, 0.6, 0.8, 1, 1, LEAST_WEIGHT])
    assert weights_of(np.full(3, np.nan)).tolist() == [1, 1, 1]


def test_vectors_that_cancel_out_leave_the_heaviest():
    first = unit([1, 0, 0, 0])
    assert mean_of([first, -first]) == pytest.approx(first)
    assert mean_of([first, -first], [0.5, 0.5 + 1e-9]) == pytest.approx(-first)
