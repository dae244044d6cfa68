"""Engines: where independent pieces of work run."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from itertools import chain, islice
from multiprocessing import forkserver, get_context, parent_process, resource_tracker
from pathlib import Path
from shutil import rmtree
from signal import (
    SIG_BLOCK,
    SIG_DFL,
    SIG_SETMASK,
    SIG_UNBLOCK,
    SIGINT,
    default_int_handler,
    getsignal,
    pthread_sigmask,
    signal,
)
from tempfile import gettempdir
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from loopcast.api import Engine, LoopcastError
from loopcast.develop.carried import Carried, folder_of_columns, packed, unpacked
from loopcast.develop.environment import package_versions
from loopcast.settings import EngineSettings

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from distributed import Client, LocalCluster

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


AHEAD = 2
"""Items for each process that are at work, or done and not yet taken."""

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "8388608",
    "MALLOC_TRIM_THRESHOLD_": "16777216",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""What glibc's allocator comes to by itself in a process that frees blocks of 8 MB, for Arrow too.

Until then it gives each large block that is freed back to the system, which has to clear its pages
when the next batch asks for them again. Arrow would use an allocator of its own beside it, which
keeps memory as well.
"""
_ENDED = (
    "a process of engine=local ended before its work, most often because memory ran out: set "
    "engine.workers to fewer"
)


_LONGEST = 75
"""Bytes of a folder's name: of the 107 that Linux gives a socket's, multiprocessing adds 32."""


class EngineError(LoopcastError):
    """Work could not be started, or not be finished, where the configuration sends it."""


@contextmanager
def engine_for(
    settings: EngineSettings, modules: Sequence[str] = (), items: int = 0
) -> Iterator[Engine]:
    """Provide the engine of a run; what it started ends with the run, also with a failed one.

    Parameters
    ----------
    modules
        What processes of this machine import once for all of them, before they begin.
    items
        How many there are to be, where that is known: of several it is certain that processes are
        needed, and they import while the caller prepares.

    Raises
    ------
    EngineError
        Where a Dask cluster is not installed, not reachable, or could give other results.

    Examples
    --------
    >>> with engine_for(EngineSettings(name="local", workers=1)) as engine:
    ...     list(engine.map(abs, [-1, 2]))
    [1, 2]
    """
    if settings.name == "dask":
        with _dask_client(settings) as client:
            yield DaskEngine(client)
    elif settings.workers == 1:
        yield LocalEngine()
    else:
        with ExitStack() as started:
            if items > 1:
                _context(modules)
            start = cache(lambda: started.enter_context(_processes(settings.workers, modules)))
            yield ProcessEngine(settings.workers, start)


@dataclass(frozen=True)
class LocalEngine:
    """Runs work in this process."""

    def map(
        self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]
    ) -> Iterator[ResultT]:
        """Apply ``function`` to each item and yield results in order."""
        return map(function, items)


@dataclass(frozen=True, eq=False)
class ProcessEngine:
    """Runs work in processes of this machine; :func:`engine_for` provides one.

    Attributes
    ----------
    workers
        Number of processes.
    start
        Returns these processes, which it starts when it is first called.
    """

    workers: int
    start: Callable[[], Callable[[Any], Future[Carried]]]

    def map(
        self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]
    ) -> Iterator[ResultT]:
        """Apply ``function`` to each item and yield results in order.

        Work goes a few items ahead of whoever takes the results, so that no more of them wait in
        memory, however many items there are. One item alone runs in this process.

        Raises
        ------
        EngineError
            Where a process ends before its work; errors of ``function`` arrive as they are.
        """
        coming = iter(items)
        first = list(islice(coming, 2))
        if len(first) < 2:
            yield from map(function, first)
            return
        yield from self._spread(function, chain(first, coming))

    def _spread(
        self, function: Callable[[ItemT], ResultT], items: Iterator[ItemT]
    ) -> Iterator[ResultT]:
        waiting: deque[Future[Carried]] = deque()
        try:
            waiting.extend(self._submit(function, islice(items, AHEAD * self.workers)))
            while waiting:
                result = unpacked(waiting.popleft().result())
                waiting.extend(self._submit(function, islice(items, 1)))
                yield result
                del result  # whoever took it may be done with it
        except BrokenProcessPool:
            raise EngineError(_ENDED) from None
        finally:
            for future in waiting:
                future.cancel()

    def _submit(
        self, function: Callable[[ItemT], ResultT], items: Iterator[ItemT]
    ) -> Iterator[Future[Carried]]:
        return (self.start()((function, item)) for item in items)


def _carried(folder: Path, work: Carried) -> Carried:
    function, item = unpacked(work)
    return packed(function(item), folder)


@contextmanager
def _processes(workers: int, modules: Sequence[str]) -> Iterator[Callable[[Any], Future[Carried]]]:
    """Provide what gives work to processes that end with this one."""
    context = _context(modules)
    if context.get_start_method() == "forkserver":
        # What is forked first belongs to no pool: who is interrupted before leaves none behind.
        first = get_context("forkserver").Process(target=int)
        first.start()
        first.join()
    with folder_of_columns() as folder:
        pool = ProcessPoolExecutor(workers, context, _begin, (folder, *gc.get_threshold()))
        try:
            yield lambda work: pool.submit(_carried, folder, packed(work, folder))
        finally:
            pool.shutdown(cancel_futures=True)


def _context(modules: Sequence[str]) -> BaseContext:
    """Return how processes are started.

    On Linux they are forked from a process that has only imported ``modules``, which takes a
    fraction of the time and memory of starting each anew; elsewhere libraries of the system do not
    bear that, nor can one be asked where the name of the folder of temporary files is so long that
    a socket's has no room.
    """
    for name in _THREADS:  # sums must not depend on the number of cores
        os.environ.setdefault(name, "1")
    for name, value in _MEMORY.items():
        os.environ.setdefault(name, value)
    forks = sys.platform == "linux" and len(os.fsencode(gettempdir())) <= _LONGEST
    return _forking(modules) if forks else get_context("spawn")


def _forking(modules: Sequence[str]) -> BaseContext:
    """Return how processes are forked from one that imports modules, and begins to.

    It does not heed an interrupt, and ends with this one.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, *modules, "loopcast.develop.frozen"])
    resource_tracker.ensure_running()  # it would let interrupts in
    before = pthread_sigmask(SIG_BLOCK, {SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        pthread_sigmask(SIG_SETMASK, before)
    return context


def _begin(folder: Path, *threshold: int) -> None:
    """Look for cycles as often as the process that started this one, and end when it is killed."""
    gc.freeze()  # what was imported stays
    gc.set_threshold(*threshold)
    if getsignal(SIGINT) is default_int_handler:
        signal(SIGINT, SIG_DFL)  # it ends without a word; the one that started it has them
    pthread_sigmask(SIG_UNBLOCK, {SIGINT})
    Thread(target=_end_with_parent, args=[folder], daemon=True).start()


def _end_with_parent(folder: Path) -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    rmtree(folder, ignore_errors=True)
    os._exit(1)


@dataclass(frozen=True)
class DaskEngine:
    """Runs work on a Dask cluster through joblib's backend.

    Attributes
    ----------
    client
        A connected client; whoever opened it closes it.
    """

    client: Client

    def map(
        self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]
    ) -> Iterator[ResultT]:
        """Apply ``function`` to each item and yield results in order.

        Raises
        ------
        EngineError
            Where the cluster loses work; errors of ``function`` arrive as they are.
        """
        from joblib import Parallel, delayed, parallel_config

        with parallel_config(backend=_dask_backend(self.client)):
            pool = Parallel(return_as="generator", batch_size=1)
        yield from pool(delayed(function)(item) for item in items)


def _dask_backend(client: Client) -> Any:
    """Joblib's backend, made to report work that is lost."""
    from distributed import CancelledError
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):  # type: ignore[misc]
        def effective_n_jobs(self, n_jobs: int) -> int:
            # With one, joblib would run everything in this process and leave the cluster idle.
            return max(2, int(super().effective_n_jobs(n_jobs)))

        # An error of the function arrives as a result. Of Dask's own errors (a worker died, its
        # scheduler went away) joblib's backend tells nobody, and a run would wait for ever.
        def submit(self, func: Any, callback: Callable[[object], None]) -> Any:
            def on_result(result: object) -> None:
                callback(_lost(result) if isinstance(result, CancelledError) else result)

            def on_done(future: Any) -> None:
                if future.exception() is not None:
                    callback(_lost(future.exception()))

            future = super().submit(func, on_result)
            future.add_done_callback(on_done)
            return future

    return Backend(client=client)


def _lost(reason: BaseException) -> EngineError:
    told = " ".join(str(reason).split()).partition(". ")[0]
    return EngineError(
        f"the Dask cluster lost a piece of work ({type(reason).__name__}: {told}); the logs of its "
        "scheduler and workers say why, most often a worker had too little memory"
    )


@contextmanager
def _dask_client(settings: EngineSettings) -> Iterator[Client]:
    try:
        import dask
        from distributed import Client
        from distributed.utils import silence_logging_cmgr
    except ImportError:
        raise EngineError("engine=dask needs Dask: pip install 'loopcast[dask]'") from None
    # Blocks carry their data, which is more than Dask expects of a task.
    quiet = {"distributed.admin.large-graph-warning-threshold": "1 TB"}
    with dask.config.set(quiet), silence_logging_cmgr(logging.CRITICAL):
        if settings.address is None:
            with _local_cluster(settings) as cluster, Client(cluster, set_as_default=False) as own:
                yield own
        else:
            with _connected(settings.address, settings.timeout) as client:
                _require_same_results(client, settings.address)
                yield client


def _local_cluster(settings: EngineSettings) -> LocalCluster:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=settings.workers,
        threads_per_worker=1,
        memory_limit=None,
        dashboard_address="127.0.0.1:0",  # any free port: several runs may be going on
        silence_logs=logging.CRITICAL,
    )


def _connected(address: str, timeout: float) -> Client:
    """Open a client of a scheduler that has a worker."""
    from distributed import Client

    try:
        client = Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"no Dask scheduler answered at {address} within {timeout:g} s ({error}): check "
            "engine.address, that 'dask scheduler' runs there, and that no firewall is between"
        ) from None
    try:
        client.wait_for_workers(1, timeout=timeout)
    except TimeoutError:
        client.close()
        raise EngineError(
            f"the Dask scheduler at {address} got no worker within {timeout:g} s: start some with "
            f"'dask worker {address} --nthreads 1'"
        ) from None
    return client


def _require_same_results(client: Client, address: str) -> None:
    """Refuse workers that could give other results than this process."""
    plugins = {point.dist.name for point in entry_points(group="loopcast") if point.dist}
    packages = sorted({"loopcast", *plugins})
    here = package_versions(*packages)
    found = client.run(package_versions, *packages, on_error="return")
    for worker, threads in client.nthreads().items():
        problem = _problem(here, found.get(worker, here), threads)
        if problem:
            raise EngineError(f"worker {worker} of the Dask scheduler at {address} {problem}")


def _problem(here: Mapping[str, str], there: Mapping[str, str] | Exception, threads: int) -> str:
    """Say why a worker's results could differ; the empty string where they cannot."""
    if isinstance(there, Exception):
        return f"lacks a package of this run ({there}): install there what is installed here"
    differing = sorted(name for name in here.keys() & there.keys() if here[name] != there[name])
    if differing:
        named = ", ".join(f"{name} {there[name]} (here {here[name]})" for name in differing)
        return f"has other versions: {named}; install there what is installed here"
    if threads > 1:  # fits catch warnings, which is safe in one thread of a process only
        return f"has {threads} threads: start it with --nthreads 1, and more of them instead"
    return ""
