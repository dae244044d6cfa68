"""Runs gates on a version: what does not measure time in parallel, the rest alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loopcast.api import Engine, GateDefinition, GateResult, LoopcastError, Subject
from loopcast.settings import convert


@dataclass(frozen=True, eq=False, kw_only=True)
class Demand:
    """A gate with its options."""

    gate: GateDefinition
    options: Any


@dataclass(frozen=True, eq=False, kw_only=True)
class _Check:
    demand: Demand
    subject: Subject


def demands(
    wanted: Mapping[str, Mapping[str, object]], gates: Mapping[str, GateDefinition]
) -> tuple[Demand, ...]:
    """Find gates and make their options.

    Parameters
    ----------
    wanted
        Plain options by name of the gate, as the policy has them.
    gates
        By name; the names of ``wanted`` are among them.

    Raises
    ------
    ConfigurationError
        Where an option is unknown or has a wrong type.
    """
    return tuple(
        Demand(
            gate=gates[name],
            options=convert(options, gates[name].options, f"policy.gates.{name}"),
        )
        for name, options in wanted.items()
    )


def run_gates(
    subject: Subject, demanded: tuple[Demand, ...], engine: Engine
) -> tuple[GateResult, ...]:
    """Run gates, and return their results in the order in which they were demanded."""
    together = [d for d in demanded if not d.gate.alone]
    checks = [_Check(demand=demand, subject=subject) for demand in together]
    found = dict(zip((d.gate.name for d in together), engine.map(run_gate, checks), strict=True))
    for demand in demanded:
        if demand.gate.alone:
            found[demand.gate.name] = run_gate(_Check(demand=demand, subject=subject))
    return tuple(result for demand in demanded for result in found[demand.gate.name])


def run_gate(check: _Check) -> list[GateResult]:
    """Run one gate; whatever it raises is a failed test that names the cause."""
    gate, subject = check.demand.gate, check.subject
    task = subject.logical_model.task
    if task not in gate.tasks:
        return [_plain(gate, True, f"does not apply to the task {task}")]
    try:
        results = list(gate.run(subject, check.demand.options))
    except LoopcastError as error:
        return [_plain(gate, False, str(error))]
    except Exception as error:
        return [_plain(gate, False, f"the gate broke: {type(error).__name__}: {error}")]
    return results or [_plain(gate, False, "the gate tested nothing")]


def _plain(gate: GateDefinition, passed: bool, measured: str) -> GateResult:
    return GateResult(gate=gate.name, passed=passed, expectation=gate.title, measured=measured)
