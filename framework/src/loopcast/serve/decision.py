"""What is decided by scores: granted, refused, or granted at random so that outcomes are seen.

Whom a cut-off refuses is never seen to do well or badly. A small share of the refused is
therefore granted by lot, where the logical model says so. The lot is a keyed hash of the row's
key: every process draws the same, whenever it is asked, and nobody can draw again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.deploy.lot import drawn, salt_of
from loopcast.develop.score.decisions import decision_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import DecisionSettings, LogicalModel

GRANTED, REFUSED, AT_RANDOM = "granted", "refused", "granted at random"
"""Decisions in words."""

COLUMNS = ("decision", "chance")
"""What a table of scores says of decisions."""


def decide(
    probability: pd.Series[float], model: LogicalModel, before: pd.Series[Any] | None = None
) -> pd.DataFrame:
    """Decide on scores.

    Parameters
    ----------
    probability : Series, shape (rows,)
        By the rows' keys; NaN where there is no score, and then no decision.
    before : Series, shape (rows,), or None
        The logical model that has refused a row before; missing for all others.

    Returns
    -------
    DataFrame, shape (rows, 2)
        ``decision`` in words, and ``chance``, the probability with which a row with this score is
        granted: 1, or the share that is granted at random. Without columns where the logical
        model says no cut-off.
    """
    decided = _by_score(probability, model)
    if before is None or before.isna().all():
        return decided
    decided = decided.reindex(columns=list(COLUMNS))
    barred = before.notna()
    return decided.assign(
        decision=decided["decision"].astype(object).mask(barred, f"{REFUSED} by " + before),
        chance=decided["chance"].astype("float64").mask(barred, 0.0),
    )


def _by_score(probability: pd.Series[float], model: LogicalModel) -> pd.DataFrame:
    decision, share = decision_of(model.decision), model.decision.accept_at_random
    if decision is None:
        return pd.DataFrame(index=probability.index)
    scores = np.asarray(probability, np.float64)
    granted, known = decision.granted(scores), ~np.isnan(scores)
    lot = drawn(probability.index, salt_of(model.name, model.decision.lot), share)
    words = np.where(granted, GRANTED, np.where(lot, AT_RANDOM, REFUSED)).astype(object)
    words[~known] = None
    chance = np.where(known, np.where(granted, 1.0, share), np.nan)
    return pd.DataFrame({"decision": words, "chance": chance}, index=probability.index)


def labelling(decided: pd.DataFrame) -> NDArray[np.float64]:
    """Return the probability with which the outcome of each row will be known, shape (rows,).

    It is 0 for a row that was refused, and 1 where nothing was decided here.
    """
    if decided.empty:
        return np.ones(len(decided))
    refused = decided["decision"].str.startswith(REFUSED).eq(True)
    return np.asarray(decided["chance"].mask(refused, 0.0).fillna(1.0), np.float64)


def about_decisions(
    decided: pd.DataFrame,
    probability: NDArray[np.float64],
    settings: DecisionSettings,
    amount: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Return how many rows were decided how, and what the lot is expected to cost.

    Parameters
    ----------
    decided : DataFrame, shape (rows, 2)
        Of :func:`decide`.
    probability : ndarray, shape (rows,)
    amount : ndarray, shape (rows,), or None
        How much is at stake in each row, by which profits count where it is known.
    """
    if decided.empty:
        return {}
    counts = Counter(decided["decision"].dropna())
    found: dict[str, Any] = {"decisions": dict(counts.most_common())}
    if settings.accept_at_random:
        lot = (decided["decision"] == AT_RANDOM).to_numpy()
        drawn, stake = probability[lot], 1.0 if amount is None else amount[lot]
        found["random_acceptance"] = {
            "granted": len(drawn),
            "expected_events": float(drawn.sum()),
            "expected_cost": expected_cost(drawn, settings, stake),
        }
    return found


def expected_cost(
    drawn: NDArray[np.float64],
    settings: DecisionSettings,
    stake: NDArray[np.float64] | float = 1.0,
) -> float | None:
    """Return what granting rows is expected to cost beside refusing them.

    Parameters
    ----------
    drawn : ndarray, shape (rows,)
        Probability of the event.
    stake : ndarray, shape (rows,), or float
        Units for which the profits of each row count.

    Returns
    -------
    float or None
        In the unit of the profits; ``None`` where the logical model does not say them.
    """
    profits = settings.profits
    if profits is None:
        return None
    event = profits.refused_event - profits.granted_event
    other = profits.refused_other - profits.granted_other
    return float(np.sum(stake * (drawn * event + (1.0 - drawn) * other)))


def total_decisions(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up what :func:`about_decisions` says of many segments."""
    decisions: Counter[str] = Counter()
    for part in parts:
        decisions.update(part.get("decisions", {}))
    lots = [part["random_acceptance"] for part in parts if "random_acceptance" in part]
    found: dict[str, Any] = {"decisions": dict(decisions.most_common())} if decisions else {}
    if lots:
        costs = [lot["expected_cost"] for lot in lots]
        found["random_acceptance"] = {
            "granted": sum(lot["granted"] for lot in lots),
            "expected_events": sum(lot["expected_events"] for lot in lots),
            "expected_cost": None if None in costs else sum(costs),
        }
    return found


def decision_line(total: Mapping[str, Any], unit: str) -> str:
    """Say in one line what was decided; empty where nothing was."""
    if not total:
        return ""
    line = ", ".join(f"{count:,} {word}" for word, count in total["decisions"].items())
    lot = total.get("random_acceptance")
    if lot is None:
        return line
    cost = lot["expected_cost"]
    money = "" if cost is None else f" and a cost of {f'{cost:,.0f} {unit}'.strip()}"
    return f"{line}; the lot is expected to bring {lot['expected_events']:,.1f} events{money}"
