"""A constraint on decisions by group, met by the least change of weights and outcomes that does it.

A version that was trained so is an alternative beside the unconstrained one, and labelled as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np

from loopcast.api import ConfigurationError, DataError, Hyperparameters, ScoreData
from loopcast.develop.decision import Decision
from loopcast.develop.fairness.groups import (
    MOST_GROUPS,
    Aim,
    attributes_to_learn_by,
    declared,
)
from loopcast.develop.score.settled import Settled

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.develop.score.settled import FitOne

    Floats = NDArray[np.float64]

FEWEST = 30
"""Held-out rows on either side, below which a difference of shares tells nothing."""

HALVINGS = 5
"""Multipliers that are tried beside the grid, where it steps over those that meet the bound."""

CutOff = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]


class ConstraintOptions(Hyperparameters, frozen=True):
    """Whose decisions are to be even, how even, and what is tried.

    Attributes
    ----------
    attribute
        Whose groups are compared; the protected one where the schema has only one and this is
        empty.
    group
        The category that is compared with all others together; not needed where there are two.
    below
        Of a numeric attribute: the group are those below.
    measure
        ``selection``: the share of favourable decisions (demographic parity); ``opportunity``:
        that among those whose outcome deserved one (equal opportunity).
    bound
        Largest difference of the two shares, on held-out rows.
    strongest
        The largest multiplier that is tried. By one, all of a group would be decided in favour if
        the score could tell its members; where it cannot, it takes more.
    steps
        Multipliers that are tried, ever farther apart: so many fits.
    share
        Of the known rows, on which the trials are compared and which they do not learn from.
    multiplier
        What a difference of the shares costs, positive in favour of the group: nothing is tried
        where it is given.
    cutoff, favourable
        By which decisions are made; those of the logical model where they are ``None``.
    """

    attribute: str = ""
    group: str = ""
    below: float | None = None
    measure: Aim = "selection"
    bound: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.05
    strongest: Annotated[float, msgspec.Meta(gt=0.0, le=10.0)] = 1.0
    steps: Annotated[int, msgspec.Meta(ge=1, le=50)] = 8
    share: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.3
    multiplier: float | None = None
    cutoff: CutOff | None = None
    favourable: Literal["low", "high"] | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What one multiplier makes of held-out rows.

    Attributes
    ----------
    gap
        Share of favourable decisions in the group minus that of all others.
    loss
        Mean cost of wrong decisions: one minus the cut-off for an event that was decided as if it
        would not happen, the cut-off for the reverse.
    """

    multiplier: float
    gap: float
    loss: float


class Constraint:
    """Preparation: rows weigh, and some change sides, as what a decision costs with a constraint.

    Deciding that the event happens (h = 1) on a row of outcome y costs c − y more than deciding
    that it does not, at a cut-off of c. A multiplier λ on the difference of shares between a group
    and all others adds λ d, where d is 1 in the group and 0 elsewhere, minus the group's share, and
    zero for rows that the measure does not count. With s = y − c − λ d, the row is learned from as
    an event of weight s / (1 − c) where s is positive, and as none of weight −s / c elsewhere: for
    λ = 0 these are its own outcome and weight, and a score that learned from them is decided at c,
    whatever λ is. (Where high scores are favourable, λ counts with the other sign.)

    Source: A. Agarwal, A. Beygelzimer, M. Dudík, J. Langford and H. Wallach (2018), A reductions
    approach to fair classification, ICML, sections 3.1 and 3.4 (grid search, which yields one
    model); there for a cut-off of one half.
    """

    name = "fairness.constraint"
    summary = "decisions of a group and of all others differ by no more than a bound"
    options = ConstraintOptions

    def assumptions(self, options: ConstraintOptions) -> tuple[str, ...]:
        """Return what has to be known of a version that was trained so."""
        among = "" if options.measure == "selection" else " among those who deserve them"
        return (
            f"Favourable decisions{among} are to be as frequent in each group within "
            f"{options.bound:.1%}, whatever the outcomes say.",
            "Its scores are no probabilities of the event: they rank, and are decided at the "
            "cut-off of the training. At another cut-off nothing is promised.",
            "The bound was met on rows that were held out of training, where chance decides too; "
            "the judged rows of the dossier say what the version does.",
            "It is an alternative beside the unconstrained version: to choose it is a decision "
            "that a person signs, and no run releases it.",
        )

    def alternative(self, options: ConstraintOptions) -> str:
        """Label the versions that were trained so."""
        return (
            f"constrained to even {options.measure} by "
            f"{options.attribute or 'the protected attribute'}"
        )

    def settle(
        self,
        data: ScoreData,
        options: ConstraintOptions,
        decision: Decision,
        fit: FitOne,
        seed: int,
    ) -> Settled:
        """Choose the multiplier that meets the bound with the least loss, on held-out rows.

        Raises
        ------
        DataError
            Where the group is not one, has too few rows, or no multiplier meets the bound.
        """
        decided = msgspec.structs.replace(
            options,
            cutoff=decision.cutoff if options.cutoff is None else options.cutoff,
            favourable=options.favourable or decision.favourable,
        )
        if options.multiplier is not None:
            return Settled(options=msgspec.to_builtins(decided))
        attempts = _attempts(data, decided, fit, seed)
        best = _least(attempts, decided)
        chosen = msgspec.structs.replace(decided, multiplier=best.multiplier)
        return Settled(
            options=msgspec.to_builtins(chosen), told=(_told(attempts[0], best, decided),)
        )

    def prepare(self, data: ScoreData, options: ConstraintOptions, seed: int) -> ScoreData:
        """Weigh the rows whose outcome and group are known; the others stay as they are.

        Raises
        ------
        ConfigurationError
            Where the multiplier or the decision is still open.
        DataError
            Where the group is not one.
        """
        if options.multiplier is None:
            raise ConfigurationError(
                f"{self.name}: the multiplier is open; expected a number, or trials that settle it"
            )
        decision, member = _decision(options), _member(data, options)
        favour = options.multiplier * _centred(data, member, options.measure, decision)
        signed = data.target - decision.cutoff
        signed += -favour if decision.favourable == "low" else favour
        known = ~np.isnan(data.target) & ~np.isnan(member)
        event = signed > 0.0
        scale = np.where(event, 1.0 - decision.cutoff, decision.cutoff)
        prepared = replace(
            data,
            target=np.where(known, event, data.target),
            weight=np.where(known, data.weight * np.abs(signed) / scale, data.weight),
        )
        return prepared.take(np.flatnonzero(prepared.weight > 0.0))


def _decision(options: ConstraintOptions) -> Decision:
    if options.cutoff is None or options.favourable is None:
        raise ConfigurationError(
            "fairness.constraint: cutoff and favourable are open; expected those of the decisions"
        )
    return Decision(cutoff=options.cutoff, favourable=options.favourable)


def _member(data: ScoreData, options: ConstraintOptions) -> Floats:
    """Return 1 for rows of the group, 0 for others and NaN where it is not known, shape (rows,)."""
    import pandas as pd

    protected = declared(data.schema)
    attribute = options.attribute or (protected[0] if len(protected) == 1 else "")
    if not attribute:
        raise DataError(
            "fairness.constraint: the schema declares "
            f"{', '.join(protected) or 'nothing'} as protected; say by which: options.attribute"
        )
    values = attributes_to_learn_by(data, [attribute], "constraint")[attribute]
    if pd.api.types.is_numeric_dtype(values):
        if options.below is None:
            raise DataError(
                f"fairness.constraint: {attribute} is numeric; expected the number below which "
                "rows are of the group: options.below"
            )
        return np.where(values.isna(), np.nan, values < options.below)
    return _of_category(pd.Categorical(values), attribute, options.group)


def _of_category(column: pd.Categorical[Any], attribute: str, asked: str) -> Floats:
    groups = [str(value) for value in column.remove_unused_categories().categories]
    group = asked or (groups[0] if len(groups) == 2 else "")
    if group not in groups:
        wrong = f"{group!r} is no group by" if group else "options.group does not say which by"
        raise DataError(
            f"fairness.constraint: {wrong} {attribute}; expected "
            f"options.group to be one of {', '.join(groups[:MOST_GROUPS]) or 'none'}"
        )
    inside = np.array([str(value) == group for value in column.categories], np.float64)
    return np.where(column.codes >= 0, inside[column.codes], np.nan)


def _counted(
    data: ScoreData, member: Floats, measure: Aim, decision: Decision
) -> NDArray[np.bool_]:
    """Say which rows a measure counts, shape (rows,)."""
    known = ~np.isnan(data.target) & ~np.isnan(member)
    deserving = data.target == (0.0 if decision.favourable == "low" else 1.0)
    return known & deserving if measure == "opportunity" else known


def _centred(data: ScoreData, member: Floats, measure: Aim, decision: Decision) -> Floats:
    """Return membership minus its share, 0 for rows that are not counted, shape (rows,)."""
    counted = _counted(data, member, measure, decision)
    if not counted.any():
        return np.zeros(len(member))
    share = np.average(member[counted], weights=data.weight[counted])
    return np.where(counted, member - share, 0.0)


def _attempts(data: ScoreData, options: ConstraintOptions, fit: FitOne, seed: int) -> list[Attempt]:
    """Try no constraint, and multipliers against what it misses the bound by.

    Where none meets the bound, and one does too little and the next too much, those between them
    are tried by halving.
    """
    parts = _parts(data, options, seed)
    found = [_attempt(parts, options, 0.0, fit, seed)]
    if _met(found, options):
        return found
    against = -np.sign(found[0].gap) * options.strongest
    for step in range(1, options.steps + 1):
        multiplier = float(against * (step / options.steps) ** 2)
        found.append(_attempt(parts, options, multiplier, fit, seed))
    for _ in range(HALVINGS):
        middle = _middle(found)
        if middle is None or _met(found, options):
            break
        found.append(_attempt(parts, options, middle, fit, seed))
    return found


def _met(attempts: Sequence[Attempt], options: ConstraintOptions) -> list[Attempt]:
    return [one for one in attempts if abs(one.gap) <= options.bound]


def _middle(attempts: Sequence[Attempt]) -> float | None:
    """Return the middle of the multipliers between which the gap first changes its sign."""
    ordered = sorted(attempts, key=lambda one: abs(one.multiplier))
    for one, other in pairwise(ordered):
        if one.gap * other.gap < 0.0:
            return (one.multiplier + other.multiplier) / 2.0
    return None


def _parts(data: ScoreData, options: ConstraintOptions, seed: int) -> tuple[ScoreData, ScoreData]:
    """Hold a share of the known rows out, drawn."""
    known = np.flatnonzero(~np.isnan(data.target))
    drawn = np.random.default_rng(seed).permutation(known)
    held = np.sort(drawn[: round(options.share * len(known))])
    return data.take(np.setdiff1d(np.arange(len(data.target)), held)), data.take(held)


def _attempt(
    parts: tuple[ScoreData, ScoreData],
    options: ConstraintOptions,
    multiplier: float,
    fit: FitOne,
    seed: int,
) -> Attempt:
    training, held = parts
    tried = msgspec.structs.replace(options, multiplier=multiplier)
    model = fit(Constraint().prepare(training, tried, seed))
    decision, member = _decision(options), _member(held, options)
    probability = np.asarray(model.predict(held.features).probability, np.float64)
    granted = decision.granted(probability)
    counted = _counted(held, member, options.measure, decision)
    refused = granted == (decision.favourable == "high")
    cost = np.where(held.target == 1.0, 1.0 - decision.cutoff, decision.cutoff)
    return Attempt(
        multiplier=multiplier,
        gap=_gap(granted, member, held.weight, counted),
        loss=float(np.average(cost * (refused != (held.target == 1.0)), weights=held.weight)),
    )


def _gap(
    granted: NDArray[np.bool_], member: Floats, weight: Floats, counted: NDArray[np.bool_]
) -> float:
    sides = [counted & (member == side) for side in (1.0, 0.0)]
    fewest = min(int(side.sum()) for side in sides)
    if fewest < FEWEST:
        raise DataError(
            f"fairness.constraint: {fewest} held-out rows of the group, or of all others, count; "
            f"expected {FEWEST} or more, of another group or with a larger share"
        )
    inside, outside = (float(np.average(granted[side], weights=weight[side])) for side in sides)
    return inside - outside


def _least(attempts: Sequence[Attempt], options: ConstraintOptions) -> Attempt:
    met = _met(attempts, options)
    if not met:
        nearest = min(attempts, key=lambda one: abs(one.gap))
        raise DataError(
            f"fairness.constraint: of {len(attempts)} multipliers none keeps the difference in "
            f"{options.measure} within {options.bound:.1%} on held-out rows; the nearest, "
            f"{nearest.multiplier:.3g}, leaves {nearest.gap:+.1%}. Expected a larger bound, more "
            "steps, or another strongest multiplier"
        )
    return min(met, key=lambda one: (one.loss, abs(one.multiplier)))


def _told(first: Attempt, best: Attempt, options: ConstraintOptions) -> str:
    return (
        f"On held-out rows, decisions at {options.cutoff:.3g} differ in {options.measure} by "
        f"{first.gap:+.1%} without a constraint, at a mean cost of {first.loss:.4f}, and by "
        f"{best.gap:+.1%} at {best.loss:.4f} with the multiplier {best.multiplier:.3g}, which "
        f"costs least among those that keep {options.bound:.1%}."
    )
