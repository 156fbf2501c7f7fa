"""A pool of worker processes on Ray: on this machine, or on the cluster that an address names.

Without an address Ray is started for the caller alone: it listens on localhost, asks for a token that only this process
and its children know, keeps its files in a private folder, and ends with the pool. Ray is an extra, imported only here.
"""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from ipaddress import ip_address
from queue import Empty, Queue
from typing import Any, Generic, Protocol, TypeVar

from core.access.actor import require
from core.access.roles import Permission
from core.errors import CoreError
from core.jobs.context import Hooks

CALLS_AHEAD = 2
"""Items that a worker holds at once: it has the next one while the last result is on its way."""

ATTEMPTS = 3
"""Workers that may end unexpectedly while they hold the same item."""

_POLL_S = 0.5
_ANSWER_S = 10.0
_STORE_BYTES = 100_000_000
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's environment variable, named for two systems: "0" chooses the loopback address on all of them."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Item_contra = TypeVar("_Item_contra", contravariant=True)
_Result_co = TypeVar("_Result_co", covariant=True)


class RayFailed(CoreError):
    """Ray isn't installed, its cluster can't be reached, or a worker can't do its work."""

    help_topic = "datasets"


class Worker(Protocol[_Item_contra, _Result_co]):
    """What a worker's process holds. Networks are loaded at the first `work`, whose CoreErrors reach the caller."""

    def work(self, item: _Item_contra) -> _Result_co: ...


class RayPool(Generic[_Item, _Result]):
    """Calls workers, each with at most CALLS_AHEAD items; `at_once` calls fill them all. Safe to share between threads.

    A worker that ends unexpectedly is started again by Ray, and what it held goes to the next one that is free.
    """

    def __init__(self, ray: Any, workers: list[Any], label: Callable[[_Item], str], hooks: Hooks) -> None:
        self.at_once = CALLS_AHEAD * len(workers)
        self._ray, self._label, self._hooks = ray, label, hooks
        self._free: Queue[Any] = Queue()
        self._lost: list[BaseException] = []
        for worker in workers:
            for _ in range(CALLS_AHEAD):
                self._free_when_ready(worker)

    def __call__(self, item: _Item) -> _Result:
        """The result of one item. Raises JobStopped, RayFailed, and the CoreErrors of `work`."""
        for _ in range(ATTEMPTS):
            worker = self._next_free()
            call = worker.work.remote(item)
            try:
                while not self._ray.wait([call], timeout=_POLL_S)[0]:
                    self._hooks.check_stop()
                result: _Result = self._ray.get(call)
            except self._ray.exceptions.RayTaskError as error:
                raise (error.cause if isinstance(error.cause, CoreError) else _fault(error)) from error
            except (self._ray.exceptions.RayActorError, self._ray.exceptions.OutOfMemoryError):
                self._free_when_ready(worker)
                continue
            except self._ray.exceptions.RayError as error:
                raise _fault(error) from error
            self._free.put(worker)
            return result
        raise RayFailed(
            f"{ATTEMPTS} workers ended unexpectedly while they worked on {self._label(item)}.",
            "Their memory may be too small. Take that file out, or resume without Ray: it goes on where it stopped.",
        )

    def _next_free(self) -> Any:
        while True:
            self._hooks.check_stop()
            try:
                return self._free.get(timeout=_POLL_S)
            except Empty:
                if len(self._lost) == self.at_once:
                    raise RayFailed(
                        f"No worker could be started ({type(self._lost[0]).__name__}).",
                        "Install the same version of the project on every machine of the cluster.",
                    ) from self._lost[0]

    def _free_when_ready(self, worker: Any) -> None:
        """A worker gets items once it runs: on a busy cluster, or after its machine was lost, that may be never."""
        ready = worker.__ray_ready__.options(max_task_retries=-1).remote()

        def settled(done: Future[Any]) -> None:
            error = done.exception()
            self._free.put(worker) if error is None else self._lost.append(error)

        ready.future().add_done_callback(settled)


@contextmanager
def ray_pool(
    worker: type[Worker[_Item, _Result]],
    given: tuple[Any, ...],
    label: Callable[[_Item], str],
    hooks: Hooks,
    *,
    workers: int | None = None,
    address: str | None = None,
) -> Iterator[RayPool[_Item, _Result]]:
    """Start `workers` processes (None: one for each free processor) that make a `worker` of the values `given`.

    `address`: HOST:PORT of a cluster's head, or "auto" for the one that this machine belongs to; None starts Ray here.
    `label` names an item in an error. Raises RayFailed, NotAllowed (only an admin names a cluster).
    """
    if address is not None:
        require(Permission.ANYWHERE)
    with _own_ray(workers) if address is None else _cluster(address) as ray:
        count = workers or max(1, int(ray.available_resources().get("CPU", 1)))
        actors = ray.remote(num_cpus=1, max_restarts=-1, max_concurrency=1)(worker)
        yield RayPool(ray, [actors.remote(*given) for _ in range(count)], label, hooks)


@contextmanager
def _own_ray(workers: int | None) -> Iterator[Any]:
    """Ray on this machine, for this process and its children alone, until the block ends."""
    folder = tempfile.mkdtemp(prefix="edgeface-ray-")  # of the owner alone: Ray opens the one in it to everybody
    try:
        with (
            # Ray asks for a token unless the environment has a mode of its own.
            _environment({_LOOPBACK: "0", "RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN": _token()}),
            _connected(
                address="local",
                num_cpus=workers or os.cpu_count() or 1,
                num_gpus=0,
                include_dashboard=False,
                object_store_memory=_STORE_BYTES,
                _node_ip_address="127.0.0.1",
                _temp_dir=f"{folder}/ray",
                # Workers keep this process's priority, and no result is written to the disk.
                _system_config={"worker_niceness": 0, "automatic_object_spilling_enabled": False},
            ) as ray,
        ):
            if not ip_address(ray.util.get_node_ip_address()).is_loopback:
                raise RayFailed(
                    "Ray would listen beyond localhost, as this program imported it with other settings.",
                    f"Set {_LOOPBACK}=0 in the program's environment.",
                )
            yield ray
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """The cluster at an address. Raises RayFailed; at once where nothing answers, for which Ray takes minutes."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or "/" in host:
            raise RayFailed(f"{address[:80]} isn't a cluster's HOST:PORT.", "Name its head, such as 10.0.0.5:6379.")
        try:
            socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
        except (OSError, OverflowError) as error:
            raise _unreachable(address, error) from error
    with _connected(address=address) as ray:
        yield ray


@contextmanager
def _connected(**options: Any) -> Iterator[Any]:
    """Ray, connected until the block ends; signals keep the handlers that they had. Raises RayFailed."""
    with _environment({"RAY_USAGE_STATS_ENABLED": "0"}):
        try:
            import ray
        except ImportError as error:
            raise RayFailed(
                f"The engine ray needs a package that isn't installed: {error}.",
                'Run pip install "edgeface-studio[ray]".',
            ) from error
        at = options["address"]
        try:
            with _same_handlers():
                ray.init(configure_logging=False, log_to_driver=False, **options)
        except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
            if at != "local":
                raise _unreachable(at, error) from error
            raise RayFailed(
                f"Ray couldn't be started here: {_first_line(error)}.", "Free memory, or leave out --engine ray."
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _environment(values: dict[str, str | None]) -> Iterator[None]:
    """Environment variables of this process meanwhile, None for one that is unset: Ray reads its settings there."""
    earlier = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(earlier)


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def _same_handlers() -> Iterator[None]:
    """Put back the handler of SIGTERM, which Ray replaces: a run that is terminated stops as asked."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


@functools.cache
def _token() -> str:
    """The same for every start in this process: Ray keeps the first that it reads."""
    return secrets.token_hex(32)


def _unreachable(address: str, error: Exception) -> RayFailed:
    return RayFailed(
        f"The Ray cluster at {address} couldn't be reached: {_first_line(error)}.",
        "Check address and network. Every machine needs the versions of Ray and Python that this one has.",
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


def _fault(error: Exception) -> RayFailed:
    return RayFailed(f"Ray gave up ({type(error).__name__}).", "Look at Ray's own log, then resume: it goes on.")
