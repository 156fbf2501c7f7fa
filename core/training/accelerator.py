"""One device, one GPU or several processes by the same calls: a thin layer over Accelerate."""

from __future__ import annotations

import os
import socket
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn

from core.encoder.encode import resolve_device
from core.system.cpu import cpu_has_bfloat16

_MODES = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


@dataclass(frozen=True)
class Place:
    """This process among `world` ones, numbered from 0; `port` is where they meet."""

    rank: int = 0
    world: int = 1
    port: int = 0


class Runner:
    """Where a run computes. `device` is torch's name of this process's device, `precision` that of its products."""

    def __init__(self, device: str = "auto", precision: str = "auto", place: Place | None = None) -> None:
        place = place or Place()
        self.kind = resolve_device(device)
        self.precision = choose_precision(precision, self.kind)
        # Accelerate keeps one state for a process; a second run in it begins anew.
        if AcceleratorState._shared_state or PartialState._shared_state:
            AcceleratorState._reset_state(reset_partial_state=True)
        _tell(place)
        if self.kind.startswith("cuda:") and place.world == 1:
            torch.cuda.set_device(self.kind)
        self._ddp = DistributedDataParallelKwargs()
        self._accelerator = Accelerator(
            cpu=self.kind == "cpu",
            mixed_precision=_MODES[self.precision],
            kwargs_handlers=[self._ddp],
        )
        self.device = str(self._accelerator.device)
        self.rank, self.world = self._accelerator.process_index, self._accelerator.num_processes

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes for all."""
        result: bool = self.rank == 0
        return result

    def autocast(self) -> AbstractContextManager[Any]:
        """Reduced precision for what is computed inside, where the run has it."""
        return nullcontext() if self.precision == "float32" else self._accelerator.autocast()

    def prepare(
        self, learner: nn.Module, optimizer: torch.optim.Optimizer, *, some_unused: bool
    ) -> tuple[nn.Module, Any]:
        """The learner as it is to be called (autocast, synchronised with other processes) and its optimizer.

        `some_unused`: not every batch needs every trained part, which processes then tell one another.
        """
        self._ddp.find_unused_parameters = some_unused
        prepared = self._accelerator.prepare(learner, optimizer)
        return prepared[0], prepared[1]

    def release(self) -> None:
        """Forget prepared learners: the next stage prepares its own."""
        self._accelerator.free_memory()

    def backward(self, loss: Tensor) -> None:
        self._accelerator.backward(loss)

    def no_sync(self, learner: nn.Module) -> AbstractContextManager[Any]:
        """Inside, gradients add up in this process only."""
        result: AbstractContextManager[Any] = self._accelerator.no_sync(learner)
        return result

    def clip(self, parameters: list[nn.Parameter], most: float) -> None:
        self._accelerator.clip_grad_norm_(parameters, most)

    def agree(self, value: Any) -> Any:
        """The first process's value, in all of them."""
        if self.world == 1:
            return value
        box = [value]
        broadcast_object_list(box, from_process=0)
        return box[0]

    def sum(self, values: Tensor) -> Tensor:
        """The sum over processes."""
        if self.world == 1:
            return values
        total: Tensor = self._accelerator.reduce(values, reduction="sum")
        return total

    @property
    def scaler(self) -> Any:
        """The gradient scaler of float16, None without one: part of what a resumed run needs."""
        return self._accelerator.scaler

    def close(self) -> None:
        """Leave the other processes; without it they wait."""
        if self.world > 1:
            self._accelerator.end_training()


def choose_precision(precision: str, device: str) -> str:
    """What "auto" means for training: bfloat16 where the processor or GPU computes it, else float16 on a GPU."""
    if precision != "auto":
        return precision
    if device == "cpu":
        return "bfloat16" if cpu_has_bfloat16() else "float32"
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "float32"


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tell(place: Place) -> None:
    """What torch.distributed reads; nothing of an earlier run stays."""
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    if place.world == 1:
        for name in names:
            os.environ.pop(name, None)
        return
    values = (place.rank, place.rank, place.world, place.world, "127.0.0.1", place.port)
    os.environ.update({name: str(value) for name, value in zip(names, values, strict=True)})
