"""What is done with rows beyond the domain of a version: answered, handed on, or refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from loopcast.develop.beyond import Beyond
from loopcast.serve.folded import Folded

if TYPE_CHECKING:
    import pyarrow as pa
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


class Said(NamedTuple):
    """What is done with a row, and why; no reason where the version answers as ever."""

    action: Action
    reason: str | None


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

    @property
    def said(self) -> tuple[Said, ...]:
        """What is done, by reason; the last one where there is none."""
        own = zip(self.actions, self.beyond.reasons, strict=True)
        return (*(Said(action, reason.text) for action, reason in own), Said("served", None))

    @property
    def code(self) -> NDArray[np.intp]:
        """Place in ``said`` of what is done with each row, shape (rows,)."""
        found = self.beyond.code.ravel()
        return np.where(found < 0, len(self.actions), found)

    def columns(self) -> dict[str, Any]:
        """Return the columns ``action`` and ``reason`` of a table of answers."""
        actions, reasons = zip(*self.said, strict=True)
        return {
            "action": self.beyond.take(_texts(actions)),
            "reason": self.beyond.take(_texts(reasons)),
        }


def _texts(values: Sequence[str | None]) -> Any:
    return pd.array(values, dtype="str")


def treat(beyond: Beyond, rules: Applicability) -> Treated:
    """Decide on each row, by its reason."""
    actions = (rules.action(outside=r.outside, novel=r.novel) for r in beyond.reasons)
    return Treated(beyond=beyond, actions=tuple(actions))


def work_list(rows: pa.Table | Folded) -> pa.Table:
    """Return the rows that a person has to decide on.

    Parameters
    ----------
    rows
        With the column ``action``.
    """
    import pyarrow.compute as pc

    if isinstance(rows, Folded):
        return rows.some(pc.equal(rows.shared["action"], "person")).whole()
    return rows.filter(pc.equal(rows["action"], "person"))


def about_treatment(rows: pd.DataFrame) -> dict[str, Any]:
    """Return how many rows were treated how, and the most frequent reasons, ready for JSON.

    Parameters
    ----------
    rows
        With the columns ``action`` and ``reason``.
    """
    return _told(_counts(rows["action"]), _counts(rows["reason"]))


def about_said(said: Sequence[Said], code: NDArray[np.intp]) -> dict[str, Any]:
    """Return what :func:`about_treatment` does of rows that are told by codes.

    Parameters
    ----------
    code : ndarray, shape (rows,)
        Of each row, in ``said``.
    """
    actions, reasons = Counter[str](), Counter[str]()
    for (action, reason), count in zip(said, np.bincount(code, minlength=len(said)), strict=True):
        if count:
            actions[action] += int(count)
        if count and reason is not None:
            reasons[reason] += int(count)
    return _told(actions, reasons)


def total_treatment(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up what :func:`about_treatment` says of many segments."""
    actions, reasons = Counter[str](), Counter[str]()
    for part in parts:
        actions.update(part.get("actions", {}))
        reasons.update(part.get("reasons", {}))
    return _told(actions, reasons)


def _told(actions: Counter[str], reasons: Counter[str]) -> dict[str, Any]:
    """Count rows by action, and for each of their reasons, as pages do."""
    single = Counter[str]()
    for joined, count in reasons.items():
        single.update(dict.fromkeys(joined.split("; "), count))
    return {
        "actions": dict(actions.most_common()),
        "reasons": dict(single.most_common(SHOWN)),
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


def _counts(values: pd.Series[str]) -> Counter[str]:
    """Count values, the most frequent first."""
    return Counter({str(name): int(count) for name, count in values.value_counts().items()})
