"""Every gate runs on every task, and what goes wrong in one is a failed test with its cause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from loopcast.api import (
    ConfigurationError,
    DataError,
    GateDefinition,
    GateResult,
    Hyperparameters,
    Subject,
)
from loopcast.develop.engine import LocalEngine, engine_for
from loopcast.settings import EngineSettings
from loopcast.validate.gates import loopcast_gates
from loopcast.validate.run import demands, run_gates

from .conftest import subject_of

GATES = {gate.name: gate for gate in loopcast_gates()}
OPTIONS: dict[str, dict[str, object]] = {
    "metrics": {"at_most": {"mae": 5.0}, "by": ["sex"]},
    "latency": {"repeats": 5},
}


def run(subject: Subject, *names: str, workers: int = 1) -> tuple[GateResult, ...]:
    wanted = {name: OPTIONS.get(name, {}) for name in names}
    with engine_for(EngineSettings(name="local", workers=workers)) as engine:
        return run_gates(subject, demands(wanted, GATES), engine)


def test_a_sound_version_passes_every_gate(subject: Subject) -> None:
    kpi = subject.logical_model.kpi
    word = "at_most" if kpi.direction == "lower" else "at_least"
    limit = {word: {kpi.metric: 1.0 if word == "at_most" else 0.5}}
    wanted = {name: OPTIONS.get(name, {}) for name in GATES} | {"metrics": limit}
    found = run_gates(subject, demands(wanted, GATES), LocalEngine())
    assert {result.gate for result in found} == set(GATES)
    failed = [result for result in found if not result.passed]
    assert not failed
    assert all(result.expectation and result.measured for result in found)
    named = [(result.gate, result.test) for result in found]
    assert len(set(named)) == len(named), "each test has a name of its own"


def test_gates_run_in_parallel_and_keep_their_order() -> None:
    # Models of this module would not be found in another process; these gates ask none.
    subject = replace(subject_of("score"), models={}, scenarios=())
    names = ("size", "fairness", "calibration", "baselines")
    found = run(subject, *names, workers=2)
    assert tuple(dict.fromkeys(result.gate for result in found)) == names
    alone = run(subject, *names)
    assert [(r.gate, r.test, r.passed) for r in found] == [
        (r.gate, r.test, r.passed) for r in alone
    ]


def broken(subject: Subject, options: object) -> Iterator[GateResult]:
    yield GateResult(gate="broken", test="first", passed=True, expectation="e", measured="m")
    raise ZeroDivisionError("division by zero")


def refusing(subject: Subject, options: object) -> list[GateResult]:
    raise DataError("nothing to examine")


def idle(subject: Subject, options: object) -> list[GateResult]:
    return []


@pytest.mark.parametrize(
    ("run_it", "measured"),
    [
        (broken, "the gate broke: ZeroDivisionError: division by zero"),
        (refusing, "nothing to examine"),
        (idle, "the gate tested nothing"),
    ],
)
def test_a_gate_that_raises_has_failed_and_says_why(run_it: object, measured: str) -> None:
    gate = GateDefinition(
        name="broken", title="a broken gate", options=Hyperparameters, run=run_it  # type: ignore[arg-type]
    )  # fmt: skip
    wanted = demands({"broken": {}, "size": {}}, {**GATES, "broken": gate})
    first, *others = run_gates(subject_of("score"), wanted, LocalEngine())
    assert (first.passed, first.measured) == (False, measured)
    assert all(result.passed for result in others)


def test_a_gate_of_another_task_passes_and_says_so() -> None:
    [found] = run(subject_of("rank"), "calibration")
    assert found.passed
    assert found.measured == "does not apply to the task rank"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeat": 7}, r"policy\.gates\.latency\.repeat: unknown key; did you mean 'repeats'"),
        ({"mean_ms": "fast"}, r"policy\.gates\.latency\.mean_ms: expected `float`, got 'fast'"),
        ({"p95_ms": -1}, r"policy\.gates\.latency\.p95_ms: expected `float` > 0"),
    ],
)
def test_options_are_checked_before_anything_runs(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        demands({"size": {}, "latency": options}, GATES)


def test_limits_that_are_too_tight_fail() -> None:
    subject = subject_of("forecast")
    wanted: dict[str, dict[str, object]] = {
        "size": {"bundle_mb": 1.0},
        "latency": {"mean_ms": 1e-6, "p95_ms": 1e-6, "memory_mb": 1e-6, "repeats": 5},
    }
    found = run_gates(subject, demands(wanted, GATES), LocalEngine())
    assert {r.test: r.passed for r in found} == {
        "bundle": False, "largest file": True,
        "1h mean": False, "1h 95th percentile": False, "1h memory": False,
    }  # fmt: skip
    assert found[0].measured == "2 MB in 1 files"


def test_a_version_without_scenarios_has_no_base_case() -> None:
    subject = replace(subject_of("score"), scenarios=())
    assert [r.passed for r in run(subject, "base_case")] == [False]
