"""Gates on what a version takes: time, memory, and place."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from loopcast.api import GateDefinition, GateResult, Hyperparameters, Subject
from loopcast.validate.results import say, shown

if TYPE_CHECKING:
    from loopcast.api import Scenario

Above = Annotated[float, msgspec.Meta(gt=0.0)]

MEGABYTE = 1_000_000.0


class Latency(Hyperparameters, frozen=True):
    """Limits of one answer to a test scenario of the bundle.

    Attributes
    ----------
    mean_ms, p95_ms
        Milliseconds: mean, and 95th percentile.
    memory_mb
        Memory that Python and NumPy allocate on top while answering.
    repeats
        Measured answers, after one that is not counted.
    """

    mean_ms: Above = 1_000.0
    p95_ms: Above = 2_000.0
    memory_mb: Above = 1_000.0
    repeats: Annotated[int, msgspec.Meta(ge=5)] = 20


class Size(Hyperparameters, frozen=True):
    """Limits of the bundle, and of its largest file."""

    bundle_mb: Above = 200.0
    file_mb: Above = 100.0


def check_latency(subject: Subject, options: Latency) -> Iterator[GateResult]:
    """Time each model on its scenario, and measure what memory it takes."""
    import numpy as np

    result = say("latency")
    for scenario in subject.scenarios:
        millis = _timed(subject, scenario, options.repeats)
        for name, found, limit in (
            ("mean", float(np.mean(millis)), options.mean_ms),
            ("95th percentile", float(np.quantile(millis, 0.95)), options.p95_ms),
        ):
            yield result(
                _test(scenario, name),
                found <= limit,
                f"{name} of an answer at most {limit:g} ms",
                f"{shown(found)} ms over {len(millis)} answers",
            )
        peak = _peak(subject, scenario) / MEGABYTE
        yield result(
            _test(scenario, "memory"),
            peak <= options.memory_mb,
            f"an answer allocates at most {options.memory_mb:g} MB",
            f"{shown(peak)} MB at most",
        )


def _timed(subject: Subject, scenario: Scenario, repeats: int) -> list[float]:
    subject.answer(scenario.name, scenario.inputs)
    millis = []
    for _ in range(repeats):
        started = time.perf_counter()
        subject.answer(scenario.name, scenario.inputs)
        millis.append(1000.0 * (time.perf_counter() - started))
    return millis


def _peak(subject: Subject, scenario: Scenario) -> int:
    """Return the largest number of bytes that one answer allocates."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        subject.answer(scenario.name, scenario.inputs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


def _test(scenario: Scenario, name: str) -> str:
    return f"{scenario.name} {name}" if scenario.name else name


def check_size(subject: Subject, options: Size) -> Iterator[GateResult]:
    """Add up the files of the bundle."""
    result, files = say("size"), subject.manifest.files
    total = sum(file.size for file in files.values()) / MEGABYTE
    yield result(
        "bundle",
        total <= options.bundle_mb,
        f"the bundle at most {options.bundle_mb:g} MB",
        f"{shown(total)} MB in {len(files)} files",
    )
    name = max(files, key=lambda name: files[name].size)
    largest = files[name].size / MEGABYTE
    yield result(
        "largest file",
        largest <= options.file_mb,
        f"its largest file at most {options.file_mb:g} MB",
        f"{name} {shown(largest)} MB",
    )


GATES: Sequence[GateDefinition] = (
    GateDefinition(
        name="latency",
        title="answers in time, and in little memory",
        options=Latency,
        run=check_latency,
        alone=True,
    ),
    GateDefinition(name="size", title="the bundle is small enough", options=Size, run=check_size),
)
