"""What is watched: which findings raise an alert, from where on, how often, and who is told.

The policy's row of a risk class says so by name: a row named ``inputs`` is about inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import msgspec

from loopcast.api import Alert, ConfigurationError, DriftThresholds, PolicyRow
from loopcast.monitor.drift import P_VALUES, Limits, limits_of
from loopcast.monitor.traffic import LATENCY_CHANCE, VOLUME_CHANCE

OWNER = "model_owner"

_DRIFT = tuple(P_VALUES)
_WATCHED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "inputs": ("input_drift", _DRIFT),
    "outputs": ("output_drift", _DRIFT),
    "separation": ("separation", ("auc",)),
    "performance": ("performance", ("kpi",)),
    "kpis": ("business_kpi", ("change",)),
    "coverage": ("coverage", ("gap",)),
    "calibration": ("calibration", ("gap",)),
    "volume": ("volume", ("chance",)),
    "latency": ("latency", ("chance",)),
    "missing": ("missing_predictions", ("share",)),
    "quality": ("bad_day", ("share",)),
    "resources": ("resources", ("free",)),
    "switches": ("switches", ("share",)),
}
"""By the name of a row: the kind of its alerts, and the measures that it can have."""

_USUAL = {
    "separation": 0.65,
    "performance": 0.1,
    "kpis": 0.1,
    "coverage": 0.05,
    "calibration": 0.05,
    "volume": VOLUME_CHANCE,
    "latency": LATENCY_CHANCE,
    "missing": 0.01,
    "quality": 0.05,
    "resources": 0.1,
    "switches": 0.05,
}
"""Thresholds where no policy says others."""

_GUARDS = ("missing", "outside")
"""Watched beside any other measure: growth of missing values, and of strange ones."""

_ELSEWHERE = {
    "fairness": "it is a gate of each release: protected attributes are not in the event log",
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row: from where on an alert of a kind is raised, how often it is looked for, for whom."""

    kind: str
    threshold: float
    tell: str = OWNER
    every_days: int = 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is watched of a logical model.

    Attributes
    ----------
    rules
        By the kind of alert; what has no rule raises none.
    limits
        Of inputs and outputs: what is shown as drifted, whether or not it raises an alert.
    elsewhere
        Rows of the policy that are not watched here, and why.
    """

    rules: Mapping[str, Rule]
    limits: Limits
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def part(self, kinds: Collection[str]) -> Plan:
        """Return what is said about some kinds of alert."""
        return replace(self, rules={k: rule for k, rule in self.rules.items() if k in kinds})

    def threshold(self, kind: str) -> float:
        """Return from where on a finding is worth an alert; infinity where none is wanted."""
        return self.rules[kind].threshold if kind in self.rules else float("inf")

    def chance(self, kind: str) -> float:
        """Return from what p-value down a finding is worth an alert; −1 where none is wanted."""
        return self.rules[kind].threshold if kind in self.rules else -1.0

    def addressed(self, alerts: Iterable[Alert]) -> tuple[Alert, ...]:
        """Return the alerts that are wanted, each with the role that is told."""
        return tuple(
            msgspec.structs.replace(alert, tell=self.rules[alert.kind].tell)
            for alert in alerts
            if alert.kind in self.rules
        )


@cache
def usual_plan() -> Plan:
    """Return the plan of a logical model whose risk class is not known: all is watched."""
    kinds = {name: kind for name, (kind, _) in _WATCHED.items()}
    drift = DriftThresholds()
    rules = {kinds[name]: Rule(kind=kinds[name], threshold=t) for name, t in _USUAL.items()}
    rules |= {k: Rule(kind=k, threshold=drift.ks) for k in ("input_drift", "output_drift")}
    return Plan(rules=rules, limits=limits_of(drift))


def plan_of(row: PolicyRow) -> Plan:
    """Return the plan that a row of the policy demands.

    Raises
    ------
    ConfigurationError
        For a name that says nothing that can be watched, or a measure that does not belong to it.

    Examples
    --------
    >>> from loopcast.api import Monitoring
    >>> row = PolicyRow(monitoring={"inputs": Monitoring(measure="psi", threshold=0.2, tell="ops")})
    >>> plan = plan_of(row)
    >>> plan.limits.inputs["psi"], plan.threshold("volume")
    (0.2, inf)
    """
    usual = usual_plan().limits
    rules, sides = {}, {"inputs": usual.inputs, "outputs": usual.outputs}
    elsewhere = {name: why for name, why in _ELSEWHERE.items() if name in row.monitoring}
    guards = {name: getattr(DriftThresholds(), name) for name in _GUARDS}
    for name, wanted in row.monitoring.items():
        if name in elsewhere:
            continue
        kind = _kind(name, wanted.measure)
        rules[kind] = Rule(
            kind=kind,
            threshold=wanted.threshold,
            tell=wanted.tell,
            every_days=wanted.every_days,
        )
        if name in sides:
            sides[name] = guards | {wanted.measure: wanted.threshold}
    limits = Limits(**sides, significance=DriftThresholds().significance)
    return Plan(rules=rules, limits=limits, elsewhere=elsewhere)


def kind_of(name: str) -> str:
    """Return the kind of the alerts of a row."""
    return _WATCHED[name][0]


def _kind(name: str, measure: str) -> str:
    if name not in _WATCHED:
        known = ", ".join([*_WATCHED, *_ELSEWHERE])
        raise ConfigurationError(f"monitoring.{name} is nothing that can be watched; use {known}")
    kind, measures = _WATCHED[name]
    if measure not in measures:
        raise ConfigurationError(
            f"monitoring.{name}.measure {measure!r} is no measure of it; use {', '.join(measures)}"
        )
    return kind
