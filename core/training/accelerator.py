"""The device of a run: CPU, one GPU or several processes behind the same calls, through Accelerate."""

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
class ProcessGroup:
    """This process' number among `world` processes, from 0, and the port on which they connect."""

    rank: int = 0
    world: int = 1
    port: int = 0


class Runner:
    """The device, precision and process group of a run."""

    def __init__(self, device: str = "auto", precision: str = "auto", group: ProcessGroup | None = None) -> None:
        group = group or ProcessGroup()
        self.kind = resolve_device(device)
        self.precision = choose_precision(precision, self.kind)
        # Accelerate keeps one state per process; a second run in it starts from a clean one.
        if AcceleratorState._shared_state or PartialState._shared_state:
            AcceleratorState._reset_state(reset_partial_state=True)
        _set_environment(group)
        if self.kind.startswith("cuda:") and group.world == 1:
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
        """Whether this is the process that reports and writes."""
        result: bool = self.rank == 0
        return result

    def autocast(self) -> AbstractContextManager[Any]:
        """Context manager of the run's reduced precision, if any."""
        return nullcontext() if self.precision == "float32" else self._accelerator.autocast()

    def prepare(
        self, module: nn.Module, optimizer: torch.optim.Optimizer, *, some_unused: bool
    ) -> tuple[nn.Module, Any]:
        """Wrap a module for autocast and gradient synchronisation; returns it with its optimizer.

        `some_unused`: some batches leave trained parameters without a gradient.
        """
        self._ddp.find_unused_parameters = some_unused
        prepared = self._accelerator.prepare(module, optimizer)
        return prepared[0], prepared[1]

    def release(self) -> None:
        """Release prepared modules before the next stage prepares its own."""
        self._accelerator.free_memory()

    def backward(self, loss: Tensor) -> None:
        self._accelerator.backward(loss)

    def no_sync(self, module: nn.Module) -> AbstractContextManager[Any]:
        """Context manager in which gradients accumulate in this process only."""
        result: AbstractContextManager[Any] = self._accelerator.no_sync(module)
        return result

    def clip(self, parameters: list[nn.Parameter], most: float) -> None:
        self._accelerator.clip_grad_norm_(parameters, most)

    def broadcast(self, value: Any) -> Any:
        """Return the first process' value in every process."""
        if self.world == 1:
            return value
        box = [value]
        broadcast_object_list(box, from_process=0)
        return box[0]

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over processes."""
        if self.world == 1:
            return values
        total: Tensor = self._accelerator.reduce(values, reduction="sum")
        return total

    @property
    def scaler(self) -> Any:
        """The gradient scaler of float16, part of a checkpoint; None in other precisions."""
        return self._accelerator.scaler

    def close(self) -> None:
        """Leave the process group; without it the other processes wait."""
        if self.world > 1:
            self._accelerator.end_training()


def choose_precision(precision: str, device: str) -> str:
    """Resolve "auto": bfloat16 where the processor or GPU supports it, else float16 on a GPU, else float32."""
    if precision != "auto":
        return precision
    if device == "cpu":
        return "bfloat16" if cpu_has_bfloat16() else "float32"
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "float32"


def free_port() -> int:
    """Return an unused local port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _set_environment(group: ProcessGroup) -> None:
    """Set or clear the environment variables that torch.distributed reads."""
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    if group.world == 1:
        for name in names:
            os.environ.pop(name, None)
        return
    values = (group.rank, group.rank, group.world, group.world, "127.0.0.1", group.port)
    os.environ.update({name: str(value) for name, value in zip(names, values, strict=True)})
