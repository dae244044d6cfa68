"""Judging scorers: on rows that came later, or on rows that were drawn."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api import (
    ConfigurationError,
    DataError,
    Judged,
    ModelError,
    Outcome,
    ScoreData,
    ScoreOutcome,
)
from loopcast.develop.holdout import Holdout, Split, percent
from loopcast.develop.moments import in_utc
from loopcast.develop.score.prepare import fingerprint, rows_of
from loopcast.develop.score.weights import judging_weight
from loopcast.plugins import calling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Scorer

FEWEST_NEW = 200
"""Known outcomes after the training of a champion, half of which are enough to judge by."""

BANDS = 4
"""Subpopulations of a numeric attribute: quarters of the judged rows."""


def split_rows(data: ScoreData, plan: Holdout, seed: int) -> Split[ScoreData]:
    """Hold a part of the known outcomes out.

    Out of time, training ends before the first judged row, and rows of unknown outcome after it
    are left out. Where a champion is judged too, the later half of what came after its training
    is held out, if that is enough: the champion has seen none of it, and the other half is what a
    new version can know more. In a random split, all rows of unknown outcome are left to training.

    Raises
    ------
    DataError
        Where a part has only one of the two outcomes.
    ConfigurationError
        For a method that is not for scores, or out of time where the schema has no time.
    """
    if plan.method == "last":
        raise ConfigurationError("holdout=last is for rankings; a score takes time or random")
    if plan.method == "time" and data.time is None:
        raise ConfigurationError(
            "holdout=time judges on what came last, and logical_model.schema.time names no column "
            "that says when a row was observed; name one, or ask for random rows: holdout=random"
        )
    known = ~np.isnan(data.target)
    if plan.method == "time" and data.time is not None:
        judged, training, protocol = _by_time(data.time, known, plan)
    else:
        judged = _drawn(known, plan.share, seed)
        training = ~judged
        protocol = f"random {percent(plan.share)} of the known outcomes, drawn with seed {seed}"
    _require_both(data, {"training part": training & known, "held-out part": judged}, protocol)
    part = rows_of(data, judged)
    return Split(
        training=rows_of(data, training),
        judged=part,
        protocol=protocol,
        digest=partial(fingerprint, part),
        rows=int(judged.sum()),
    )


def _by_time(
    time: NDArray[np.datetime64], known: NDArray[np.bool_], plan: Holdout
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], str]:
    share, ordered = plan.share, np.sort(time[known])
    if plan.since is not None:
        moment = in_utc(plan.since)
        newer = int((ordered > moment).sum())
        share = newer / 2 / len(ordered) if newer >= FEWEST_NEW else share
    cut = ordered[int(np.ceil((1.0 - share) * len(ordered))) - 1]
    later = ordered[ordered > cut]
    first = later[0] if len(later) else cut  # rows of one moment are not torn apart
    shown = str(first).removesuffix("T00:00:00.000000")
    protocol = (
        f"out of time, the last {percent(round(share, 4))} of the known outcomes, from {shown} on"
    )
    return known & (time >= first), time < first, protocol


def _drawn(known: NDArray[np.bool_], share: float, seed: int) -> NDArray[np.bool_]:
    candidates = np.flatnonzero(known)
    chosen = np.random.default_rng(seed).permutation(candidates)[: round(share * len(candidates))]
    judged = np.zeros(len(known), dtype=bool)
    judged[chosen] = True
    return judged


def _require_both(data: ScoreData, parts: Mapping[str, NDArray[np.bool_]], protocol: str) -> None:
    for name, rows in parts.items():
        events = int(data.target[rows].sum())
        if events in (0, int(rows.sum())):
            raise DataError(
                f"column {data.schema.target!r}: the {name} ({protocol}) has {int(rows.sum())} "
                f"rows, {events} of them with the event; expected rows with it and rows without"
            )


def answer(model: Scorer, split: Split[ScoreData], template: str) -> ScoreOutcome:
    """Score the judged rows.

    Raises
    ------
    ModelError
        Where an answer is no probability, their number is wrong, or the template fails.
    """
    part: ScoreData = split.judged
    with calling(template, "predict"):
        found = model.predict(part.features)
        said = np.asarray(found.probability, np.float64)
    probability = checked(said, part.features, template)
    return ScoreOutcome(
        actual=part.target,
        probability=probability,
        weight=judging_weight(part),
        sets=found.sets,
        amount=part.amount,
    )


def probabilities(model: Scorer, rows: pd.DataFrame, template: str) -> NDArray[np.float64]:
    """Score rows and check what comes back; raises as :func:`answer` does."""
    with calling(template, "predict"):
        said = np.asarray(model.predict(rows).probability, np.float64)
    return checked(said, rows, template)


def checked(
    probability: NDArray[np.float64], rows: pd.DataFrame, template: str
) -> NDArray[np.float64]:
    """Return probabilities that are some; raises as :func:`answer` does."""
    if probability.shape != (len(rows),):
        raise ModelError(
            f"template {template}: scores of {len(rows)} rows have shape {probability.shape}; "
            f"expected ({len(rows)},)"
        )
    bad = ~((probability >= 0.0) & (probability <= 1.0))
    if bad.any():
        row = int(np.argmax(bad))
        raise ModelError(
            f"template {template}: {int(bad.sum())} scores are no probabilities, the first "
            f"{probability[row]:g} of {rows.index.name} {rows.index[row]!r}"
        )
    return probability


def lay_out(split: Split[ScoreData], outcomes: Mapping[str, Outcome]) -> Judged:
    """Return the judged rows: each an observation of its own, by its key."""
    part: ScoreData = split.judged
    rows = len(part.target)
    key = pd.Categorical.from_codes(np.arange(rows), categories=part.features.index)
    attributes = {} if part.attributes is None else dict(part.attributes.items())
    return Judged(
        keys=(key,),
        block=np.arange(rows, dtype=np.int64),
        overall=np.ones(rows, dtype=bool),
        attributes={str(name): subpopulations(column) for name, column in attributes.items()},
        outcomes=outcomes,
    )


def subpopulations(column: pd.Series) -> pd.Categorical[Any]:
    """Return the groups of an attribute: its categories, or bands of its numbers."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Categorical(column.array)
    if column.nunique() <= BANDS:
        return pd.Categorical([None if np.isnan(x) else f"{x:g}" for x in column])
    edges = np.unique(np.nanquantile(column, np.linspace(0, 1, BANDS + 1)))
    names = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    place = np.clip(np.searchsorted(edges, column.to_numpy(), side="right") - 1, 0, len(names) - 1)
    codes = np.where(column.isna(), -1, place)
    return pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype="str"))
