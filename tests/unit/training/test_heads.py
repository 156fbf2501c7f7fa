"""Margins by hand: ArcFace in radians, AdaFace, fixed centres; the losses between embeddings and pixels."""

from __future__ import annotations

import math

import pytest
import torch

from core.training.heads import AdaFace, ArcFace, Prototypes, make_head
from core.training.networks import map_error
from core.training.recipe import Head
from core.training.stage_losses import cosine_loss, pixel_loss

PLAIN = Head("arcface", scale=64.0, margin=0.5, label_smoothing=0.0)


def head_at(kind, settings, angles):
    """A head of two identities whose directions are the axes, and embeddings at `angles` from the first."""
    head = kind(settings, 2, 2)
    head.weight.data = torch.tensor([[3.0, 0.0], [0.0, 0.5]])
    return head, torch.tensor([[math.cos(a), math.sin(a)] for a in angles])


def test_arcface_adds_its_margin_in_radians_to_the_own_angle():
    head, embeddings = head_at(ArcFace, PLAIN, [0.3, 1.2])
    labels = torch.tensor([0, 1])
    logits = head.logits(embeddings * 7, labels, head.cosines(embeddings * 7))
    other = math.pi / 2 - 1.2  # the second embedding's angle to its own axis
    expected = [
        [64 * math.cos(0.3 + 0.5), 64 * math.sin(0.3)],
        [64 * math.cos(1.2), 64 * math.cos(other + 0.5)],
    ]
    assert torch.allclose(logits, torch.tensor(expected), atol=1e-3)
    loss, cosines = head(embeddings, labels)
    by_hand = [math.log(sum(math.exp(x - row[i]) for x in row)) for i, row in enumerate(expected)]
    assert loss.tolist() == pytest.approx(by_hand, abs=1e-3)
    assert cosines[0].tolist() == pytest.approx([math.cos(0.3), math.sin(0.3)], abs=1e-5)


def test_arcface_goes_on_falling_beyond_pi_minus_the_margin():
    head, embeddings = head_at(ArcFace, PLAIN, [3.0])
    logits = head.logits(embeddings, torch.tensor([0]), head.cosines(embeddings))
    assert float(logits[0, 0].detach()) == pytest.approx(64 * (math.cos(3.0) - 0.5 * math.sin(0.5)), abs=1e-3)


def test_label_smoothing_spreads_its_share_over_all_identities():
    head, embeddings = head_at(ArcFace, Head("arcface", 2.0, 0.0, 0.1), [0.4])
    loss, _ = head(embeddings, torch.tensor([0]))
    logits = [2 * math.cos(0.4), 2 * math.sin(0.4)]
    total = math.log(sum(map(math.exp, logits)))
    assert float(loss.detach()) == pytest.approx(0.95 * (total - logits[0]) + 0.05 * (total - logits[1]), abs=1e-5)


def test_adaface_asks_more_of_good_images_and_less_of_bad_ones():
    head, embeddings = head_at(AdaFace, Head("adaface", 64.0, 0.4, 0.0), [0.5, 0.5])
    head.mean.fill_(10.0)
    head.std.fill_(2.0)
    head.eval()
    lengths = torch.tensor([[14.0], [4.0]])
    raw = embeddings * lengths
    z = [min(1.0, max(-1.0, (n - 10) / 2.001 * 0.333)) for n in (14.0, 4.0)]
    expected = [64 * (math.cos(0.5 - 0.4 * s) - (0.4 * s + 0.4)) for s in z]
    logits = head.logits(raw, torch.tensor([0, 0]), head.cosines(raw))
    assert logits[:, 0].tolist() == pytest.approx(expected, abs=1e-3)
    head.end_step(lambda values: values)
    assert float(head.mean) == 10.0, "what is validated isn't taken in"


@pytest.mark.parametrize(
    "pieces", [[[20.0, 24.0, 22.0, 30.0]], [[20.0, 24.0], [22.0, 30.0]], [[20.0], [24.0, 22.0, 30.0]]]
)
def test_adafaces_running_statistics_are_those_of_the_whole_batch(pieces):
    """In one piece or several; of the batches before it, so that every piece is judged alike."""
    head, _ = head_at(AdaFace, Head("adaface", 64.0, 0.4, 0.0), [0.5])
    head.mean.fill_(10.0)
    head.std.fill_(2.0)
    found = torch.cat([head.quality(torch.tensor(piece)) for piece in pieces])
    assert found.tolist() == [1.0, 1.0, 1.0, 1.0] and float(head.mean) == 10.0
    head.end_step(lambda values: values)
    assert float(head.mean) == pytest.approx(0.99 * 10 + 0.01 * 24)
    assert float(head.std) == pytest.approx(0.99 * 2 + 0.01 * math.sqrt(56 / 3))
    head.quality(torch.tensor([20.0, 24.0]))
    head.end_step(lambda values: values * 2)  # another process had as many, and the same
    assert float(head.mean) == pytest.approx(0.99 * (0.99 * 10 + 0.01 * 24) + 0.01 * 22)


def test_prototypes_are_fixed_and_follow_from_nothing_random():
    head = Prototypes(PLAIN, 2, 2)
    head.fix(torch.tensor([[4.0, 0.0], [0.0, 2.0]]))
    assert head.weight.tolist() == [[1, 0], [0, 1]] and not head.weight.requires_grad
    with pytest.raises(ValueError, match="without a centre"):
        head.fix(torch.zeros(2, 2))


def test_a_heads_weights_follow_from_the_seed_alone():
    torch.manual_seed(1)
    first = make_head(PLAIN, 5, 8, seed=3).weight
    state = torch.get_rng_state()
    assert torch.equal(make_head(PLAIN, 5, 8, seed=3).weight, first)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(make_head(PLAIN, 5, 8, seed=4).weight, first)


def test_alignment_is_one_minus_the_cosine():
    a = torch.tensor([[2.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    b = torch.tensor([[5.0, 0.0], [0.0, 3.0], [-1.0, -1.0]])
    assert float(cosine_loss(a, b)) == pytest.approx((0 + 1 + 2) / 3)


def test_an_error_of_maps_is_against_the_same_variance_in_every_piece():
    student, teacher = torch.zeros(4, 2, 3, 3), torch.arange(72.0).reshape(4, 2, 3, 3)
    whole = map_error([student], [teacher], [5.0])
    assert float(whole) == pytest.approx(float((teacher**2).mean()) / 5)
    pieces = [map_error([student[i : i + 2]], [teacher[i : i + 2]], [5.0]) for i in (0, 2)]
    assert float(sum(pieces) / 2) == pytest.approx(float(whole))


def test_pixel_losses_by_hand():
    sr, hr = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5)
    assert float(pixel_loss(sr, hr, "l1")) == 0.5
    assert float(pixel_loss(sr, hr, "charbonnier")) == pytest.approx(math.sqrt(0.25 + 1e-6))
