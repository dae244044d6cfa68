"""What is done with rows beyond the domain of a version: answered, handed on, or refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.develop.beyond import Beyond

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Action, Applicability

    Flags = NDArray[np.bool_]

WORK_LIST = "worklist.parquet"
"""File of the rows that a person has to decide on, where there are some."""

SHOWN = 5
"""Reasons that a summary names, the most frequent first."""

WORDS: Mapping[str, str] = {
    "served": "answered",
    "flagged": "flagged",
    "fallback": "given to the fallback",
    "person": "given to a person",
    "refused": "refused",
}
"""Actions in a sentence."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Treated:
    """What is done with each row.

    Attributes
    ----------
    beyond
        Which rows are beyond the domain, and why.
    actions
        What is done, by reason.
    """

    beyond: Beyond
    actions: tuple[Action, ...]

    @property
    def own(self) -> Flags:
        """Rows that the version itself answers."""
        return self._are("served", "flagged")

    @property
    def handed_on(self) -> Flags:
        """Rows that the fallback answers, where there is one."""
        return self._are("fallback")

    def _are(self, *actions: Action) -> Flags:
        chosen = [action in actions for action in self.actions]
        return np.asarray(self.beyond.take(np.array([*chosen, "served" in actions])))

    def columns(self) -> dict[str, Any]:
        """Return the columns ``action`` and ``reason`` of a table of answers."""
        reasons = [reason.text for reason in self.beyond.reasons]
        return {
            "action": self.beyond.take(_texts([*self.actions, "served"])),
            "reason": self.beyond.take(_texts([*reasons, None])),
        }


def _texts(values: Sequence[str | None]) -> Any:
    return pd.array(values, dtype="str")


def treat(beyond: Beyond, rules: Applicability) -> Treated:
    """Decide on each row, by its reason."""
    actions = (rules.action(outside=r.outside, novel=r.novel) for r in beyond.reasons)
    return Treated(beyond=beyond, actions=tuple(actions))


def work_list(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that a person has to decide on.

    Parameters
    ----------
    rows
        With the column ``action``, or none.
    """
    return rows[rows["action"] == "person"] if len(rows) else rows


def about_treatment(rows: pd.DataFrame) -> dict[str, Any]:
    """Return how many rows were treated how, and the most frequent reasons, ready for JSON.

    Parameters
    ----------
    rows
        With the columns ``action`` and ``reason``.
    """
    return {
        "actions": _counts(rows["action"]),
        "reasons": dict(list(_counts(rows["reason"]).items())[:SHOWN]),
    }


def total_treatment(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up what :func:`about_treatment` says of many segments."""
    found = {name: Counter[str]() for name in ("actions", "reasons")}
    for part in parts:
        for name, counter in found.items():
            counter.update(part.get(name, {}))
    return {
        "actions": dict(found["actions"].most_common()),
        "reasons": dict(found["reasons"].most_common(SHOWN)),
    }


def treatment_line(total: Mapping[str, Any]) -> str:
    """Say in one line what was beyond the domain of the versions; empty where nothing was."""
    beyond = {name: count for name, count in total["actions"].items() if name != "served"}
    if not beyond:
        return ""
    said = ", ".join(f"{count:,} {WORDS[name]}" for name, count in beyond.items())
    reason, count = next(iter(total["reasons"].items()))
    return (
        f"{sum(beyond.values()):,} of {sum(total['actions'].values()):,} rows are unlike the "
        f"training: {said}; most often ({count:,}) {reason}"
    )


def _counts(values: pd.Series[str]) -> dict[str, int]:
    """Count values, the most frequent first."""
    return {str(name): int(count) for name, count in values.value_counts().items()}
