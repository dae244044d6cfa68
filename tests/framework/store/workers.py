"""Processes that the tests start, let race, and kill: ``python -m framework.store.workers``.

Each verb forks its children from one process that has imported everything, so that a test can
afford many of them.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from sqlalchemy import event

from loopcast.api import Experiment, ExperimentStep, LoopcastError, Manifest, PluginOrigin
from loopcast.deploy.bundle import encode_bundle, write_bundles
from loopcast.store.artifacts import Artifacts
from loopcast.store.catalog import Catalog, Return
from loopcast.store.events import EventLog, event_table
from loopcast.store.truth import TruthStore, truth_table

from .builders import NOON, dataset, digest, logical_model, registration, version

BATCH = 20


def say(text: str) -> None:
    """Print a line by one system call, so that lines of several processes do not mix."""
    os.write(sys.stdout.fileno(), f"{text}\n".encode())


def fork(task: Callable[[], None]) -> int:
    """Run a task in a child, which reports an error and leaves."""
    pid = os.fork()
    if pid:
        return pid
    try:
        task()
    except BaseException as error:
        say(f"{type(error).__name__}: {error}")
        os._exit(1)
    os._exit(0)


def race(url: str, children: str) -> None:
    """Create one catalog from many processes, register the same versions, release all at once."""
    start = time.time() + 0.2
    await_all(fork(lambda number=i: compete(url, number, start)) for i in range(int(children)))  # type: ignore[misc]


def compete(url: str, number: int, start: float) -> None:
    """One of the racers: its versions are shared with its neighbour."""
    time.sleep(max(0.0, start - time.time()))
    with Catalog(url) as catalog:
        catalog.put_logical_model(logical_model())
        mine = [version(i) for i in range(number * BATCH, (number + 2) * BATCH)]
        catalog.register([registration(item) for item in mine])
        for item in mine[:5]:
            catalog.release("demand", "", item.id, stage="champion", by=str(number), reason="race")


def kill(task: str, url: str, seed: str) -> None:
    """Start a task again and again, and kill it at a random moment."""
    moments = random.Random(int(seed))
    if task in {"register", "release"}:
        prepare(url)
    for round_ in range(8):
        reader, writer = os.pipe()
        pid = fork(lambda: ENDLESS[task](url, round_, writer))  # noqa: B023
        os.read(reader, 1)
        time.sleep(moments.uniform(0.0, 0.15))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def kill_at_each_step(task: str, url: str) -> None:
    """Do a task again and again, killed before its first statement, its second, and so on.

    Prints the number of statements after which it was done.
    """
    prepare(url)
    for step in count(1):
        pid = fork(lambda: STEPS[task](url, step))  # noqa: B023
        status = os.waitpid(pid, 0)[1]
        if not os.WIFSIGNALED(status):
            print(step)
            sys.exit(os.waitstatus_to_exitcode(status))


def _deadly(catalog: Catalog, step: int) -> None:
    """Let this process be killed before the catalog's statement of a number, or the commit."""
    statements = count(1)

    def strike(*_: object) -> None:
        if next(statements) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    for moment in ("before_cursor_execute", "commit"):
        event.listen(catalog._engine, moment, strike)


def release_once(url: str, step: int) -> None:
    with Catalog(url) as catalog:
        _deadly(catalog, step)
        catalog.release("demand", "", version(1).id, stage="champion", by="a", reason="better")


def return_once(url: str, step: int) -> None:
    with Catalog(url) as catalog:
        champion = catalog.champion("demand")
        assert champion is not None
        if champion != version(1):
            catalog.release("demand", "", version(1).id, stage="champion", by="a", reason="better")
        _deadly(catalog, step)
        back = Return(
            logical_model="demand", segment="", champion=version(1).id, version=version(0).id
        )
        catalog.roll_back([back], by="b", reason="worse")


STEPS = {"release": release_once, "rollback": return_once}


def roll_back_at_once(url: str, children: str) -> None:
    """Let several processes roll the same champion back; print what each of them was told."""
    prepare(url)
    with Catalog(url) as catalog:
        catalog.release("demand", "", version(1).id, stage="champion", by="a", reason="better")
    start = time.time() + 0.2

    def compete_back() -> None:
        time.sleep(max(0.0, start - time.time()))
        step = Return(
            logical_model="demand", segment="", champion=version(1).id, version=version(0).id
        )
        with Catalog(url) as catalog:
            try:
                catalog.roll_back([step], by="b", reason="worse")
                say("done")
            except LoopcastError as error:
                say(type(error).__name__)

    await_all(fork(compete_back) for _ in range(int(children)))


def begin_at_once(url: str, children: str) -> None:
    """Let several processes each begin an experiment of its own; print what each was told."""
    prepare(url)
    names = [f"trial_{number}" for number in range(int(children))]
    arms = (version(0).id, version(1).id)
    trials = [
        Experiment(
            name=name, logical_model="demand", segment="", kind="shadow", arms=arms,
            metric="brier", declared=NOON, by="ann", sample_size=100,
        )
        for name in names
    ]  # fmt: skip
    with Catalog(url) as catalog:
        catalog.declare(trials)
    start = time.time() + 0.2

    def compete_for_the_population(number: int) -> None:
        time.sleep(max(0.0, start - time.time()))
        with Catalog(url) as catalog:
            try:
                step = ExperimentStep(step="begun", at=NOON, by="ann")
                catalog.take_step([trials[number]], step)
                say("done")
            except LoopcastError as error:
                say(type(error).__name__)

    await_all(
        fork(lambda number=i: compete_for_the_population(number))  # type: ignore[misc]
        for i in range(int(children))
    )


def await_all(children: Iterable[int]) -> None:
    """Wait for children, and leave with the worst of their exit codes."""
    statuses = [os.waitpid(pid, 0)[1] for pid in list(children)]
    sys.exit(max(map(os.waitstatus_to_exitcode, statuses)))


def prepare(url: str) -> None:
    """Make a catalog with two versions, of which one is champion."""
    with Catalog(url) as catalog:
        catalog.put_logical_model(logical_model())
        catalog.register([registration(version(number)) for number in range(2)])
        catalog.release("demand", "", version(0).id, stage="champion", by="a", reason="")


def register(url: str, round_: int, ready: int) -> None:
    with Catalog(url) as catalog:
        for batch in endless(ready):
            segment = f"{round_}-{batch}"
            catalog.register([registration(version(i, segment=segment)) for i in range(BATCH)])


def release(url: str, _round: int, ready: int) -> None:
    with Catalog(url) as catalog:
        for step in endless(ready):
            catalog.release("demand", "", version(step % 2).id, stage="champion", by="a", reason="")


def put(url: str, round_: int, ready: int) -> None:
    artifacts = Artifacts(url)
    for step in endless(ready):
        artifacts.put_many(f"{round_} {step} {i}".encode() * 300_000 for i in (1, 2))


def bundle(url: str, round_: int, ready: int) -> None:
    artifacts = Artifacts(url)
    for step in endless(ready):
        files = {
            f"{i}.bin": random.Random(f"{round_} {step} {i}").randbytes(50_000) for i in (1, 2)
        }
        write_bundles(artifacts, [encode_bundle(manifest(f"{round_} {step}"), files)])


def append(url: str, round_: int, ready: int) -> None:
    log = EventLog(url)
    for step in endless(ready):
        keys = [f"{round_}-{step}-{i}" for i in range(1000)]
        log.append(events(keys))


def ingest(url: str, round_: int, ready: int) -> None:
    store = TruthStore(url)
    for step in endless(ready):
        keys = [f"{round_}-{step}-{i}" for i in range(1000)]
        store.add("demand", truth_table(key=keys, value=[1.0] * 1000, observed=NOON))


def endless(ready: int) -> Iterator[int]:
    """Count for ever, and say when the first piece of work is done."""
    yield 0
    os.write(ready, b".")
    yield from count(1)


ENDLESS = {
    "register": register,
    "release": release,
    "put": put,
    "bundle": bundle,
    "append": append,
    "ingest": ingest,
}


def manifest(name: str) -> Manifest:
    """A manifest without files."""
    return Manifest(
        logical_model="demand",
        segment="",
        template="forecasting.gam_arima",
        plugin=PluginOrigin(plugin="forecasting", package="x", package_version="1"),
        hyperparameters={"name": name},
        recipe=digest(name),
        seed=1,
        datasets=(dataset(),),
        environment={},
        files={},
    )


def events(keys: list[str]) -> object:
    """Events of one hour with these keys."""
    return event_table(
        key=keys,
        time=NOON,
        logical_model="demand",
        segment="",
        version="0" * 16,
        role="champion",
        outputs={"mean": [float(i) for i in range(len(keys))]},
    )


def fill_disk(task: str, url: str) -> None:
    """Write where no file may grow beyond a size, as on a full disk; print the error."""
    if task in {"register", "release"}:
        prepare(url)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    try:
        FILLING[task](url)
    except LoopcastError as error:
        print(f"{type(error).__name__}: {error}")


def fill_catalog(url: str) -> None:
    with Catalog(url) as catalog:
        catalog.register([registration(version(i, segment="full")) for i in range(3_000)])


def fill_releases(url: str) -> None:
    segments = [f"s{number}" for number in range(500)]
    with Catalog(url) as catalog:
        for step in count():
            catalog.set_switch(
                "demand", segments, "off" if step % 2 else "freeze", by="a", reason="r" * 100
            )


def fill_artifacts(url: str) -> None:
    Artifacts(url).put_many([b"small", bytes(1_000_000)])


def fill_events(url: str) -> None:
    keys = [random.Random(i).randbytes(8).hex() for i in range(50_000)]
    EventLog(url).append(events(keys))


FILLING = {
    "register": fill_catalog,
    "release": fill_releases,
    "put": fill_artifacts,
    "append": fill_events,
}

VERBS: dict[str, Callable[..., None]] = {
    "race": race,
    "kill": kill,
    "kill_at_each_step": kill_at_each_step,
    "roll_back_at_once": roll_back_at_once,
    "begin_at_once": begin_at_once,
    "fill_disk": fill_disk,
}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
