"""The device of a run: precision, gradients, and values that processes share; here one process on the CPU."""

from __future__ import annotations

import os
import socket

import pytest
import torch
from torch import nn

from core.errors import SettingsInvalid
from core.system.cpu import cpu_has_bfloat16
from core.training.accelerator import ProcessGroup, Runner, choose_precision, free_port


@pytest.fixture
def runner():
    made = Runner("cpu", "float32")
    yield made
    made.release()


def test_auto_precision_is_what_the_device_computes() -> None:
    assert choose_precision("auto", "cpu") == ("bfloat16" if cpu_has_bfloat16() else "float32")
    assert choose_precision("auto", "mps") == "float32"
    assert choose_precision("float16", "cpu") == "float16"


def test_one_process_is_the_first_and_agrees_with_itself(runner) -> None:
    assert (runner.device, runner.precision, runner.rank, runner.world, runner.first) == ("cpu", "float32", 0, 1, True)
    assert runner.broadcast({"a": 1}) == {"a": 1} and runner.broadcast(None) is None
    assert torch.equal(runner.sum(torch.tensor([1.0, 2.0])), torch.tensor([1.0, 2.0]))
    assert runner.scaler is None


def test_a_later_run_in_the_same_process_has_its_own_precision(runner) -> None:
    x = torch.ones(2, 2)
    with runner.autocast():
        assert (x @ x).dtype == torch.float32
    other = Runner("cpu", "bfloat16")
    with other.autocast():
        assert (x @ x).dtype == torch.bfloat16
    assert Runner("cpu", "float32").precision == "float32"


def test_gradients_add_up_over_pieces_and_are_clipped(runner) -> None:
    layer = nn.Linear(2, 1, bias=False)
    prepared, optimizer = runner.prepare(layer, torch.optim.SGD(layer.parameters(), lr=1.0), some_unused=False)
    optimizer.zero_grad()
    with runner.no_sync(prepared):
        runner.backward(prepared(torch.tensor([[3.0, 0.0]])).sum())
    runner.backward(prepared(torch.tensor([[0.0, 4.0]])).sum())
    assert torch.equal(layer.weight.grad, torch.tensor([[3.0, 4.0]]))
    runner.clip(list(layer.parameters()), 1.0)
    torch.testing.assert_close(layer.weight.grad, torch.tensor([[0.6, 0.8]]), rtol=1e-4, atol=1e-5)
    before = layer.weight.detach().clone()
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), before - torch.tensor([[0.6, 0.8]]), rtol=1e-4, atol=1e-4)


def test_a_single_process_leaves_no_place_of_an_earlier_run(monkeypatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_PORT"):
        monkeypatch.setenv(name, "7")
    assert Runner("cpu", "float32", ProcessGroup()).world == 1
    assert not {"RANK", "WORLD_SIZE", "MASTER_PORT"} & set(os.environ)


def test_a_free_port_can_be_bound() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_isnt_there_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="cuda"):
        Runner("cuda")
