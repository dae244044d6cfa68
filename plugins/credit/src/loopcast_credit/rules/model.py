"""Expert rules that score.

    log-odds = level + Σ over the rules that apply of ln odds

The level is the one estimate: the mean probability of the training rows is their event rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from loopcast.api import (
    ConfigurationError,
    Contributions,
    CSource,
    Files,
    IntegrityError,
    Record,
    ScoreData,
    Scores,
)
from loopcast_credit.additive.known import known_rows
from loopcast_credit.additive.scale import Scale
from loopcast_credit.additive.scorer import logistic
from loopcast_credit.bins.make import is_number
from loopcast_credit.boost.encode import Input, encode
from loopcast_credit.boost.trees import Split, Tree
from loopcast_credit.linear.newton import newton
from loopcast_credit.rules.hyperparameters import Condition, Rule, RulesParameters

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class RuleBook(Record, frozen=True):
    """Rules with their level.

    Attributes
    ----------
    inputs
        Features that rules ask, and the categories that there are; any other counts as missing.
    """

    level: float
    rules: tuple[Rule, ...]
    inputs: tuple[Input, ...]
    scale: Scale


@dataclass(frozen=True, eq=False)
class RuleScorer:
    """Rules that score."""

    book: RuleBook

    def predict(self, rows: pd.DataFrame) -> Scores:
        """Score rows.

        Raises
        ------
        ModelError
            Where a feature that a rule asks is missing from the columns.
        """
        log_odds = np.full(len(rows), self.book.level)
        for rule, applies in zip(self.book.rules, self.applies(rows).T, strict=True):
            log_odds += np.where(applies, math.log(rule.odds), 0.0)
        points = self.book.scale.offset - self.book.scale.factor * log_odds
        return Scores(probability=logistic(log_odds), points=points)

    def applies(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rules apply to each row, shape (rows, rules)."""
        matrix = encode(self.book.inputs, rows)
        found = np.ones((len(rows), len(self.book.rules)), np.bool_)
        for at, rule in enumerate(self.book.rules):
            for name, condition in rule.when.items():
                place, one = _input(self.book.inputs, name)
                found[:, at] &= _holds(condition, one, matrix[:, place])
        return found

    def explain(self, rows: pd.DataFrame) -> Contributions:
        """Return what each rule that applies adds; see :class:`loopcast.api.ExplainedScorer`."""
        odds = np.array([math.log(rule.odds) for rule in self.book.rules])
        return Contributions(
            parts=tuple(rule.name for rule in self.book.rules),
            base=self.book.level,
            added=self.applies(rows) * odds,
            method="the odds of the rules that apply, exactly",
        )

    @property
    def trees(self) -> list[Tree]:
        """The same as trees, for exports: the level, and a tree for each rule."""
        return [self.book.level, *(_tree(rule, self.book.inputs) for rule in self.book.rules)]

    def to_sql(self, table: str, key: str) -> str:
        """Return the rules as one SELECT; see :class:`loopcast.api.SqlScorer`."""
        from loopcast_credit.export.sql import trees_sql

        return trees_sql(self.book.inputs, self.trees, table, key)

    def to_c(self) -> CSource:
        """Return the rules in C; see :class:`loopcast.api.CScorer`."""
        from loopcast_credit.export.c import trees_c

        return trees_c(self.book.inputs, self.trees)

    def to_onnx(self) -> bytes:
        """Return the rules as an ONNX model; see :class:`loopcast.api.OnnxScorer`."""
        from loopcast_credit.export.onnx import trees_onnx

        return trees_onnx(self.book.inputs, self.trees)

    def save(self) -> Files:
        """Return the rules."""
        return {"rules.json": msgspec.json.format(msgspec.json.encode(self.book), indent=1)}


def load_rules(files: Files) -> RuleScorer:
    """Rebuild a scorer from its file.

    Raises
    ------
    IntegrityError
        When the file holds no rules.
    """
    try:
        return RuleScorer(msgspec.json.decode(files["rules.json"], type=RuleBook))
    except (msgspec.DecodeError, ValueError) as error:
        raise IntegrityError(f"not expert rules: {error}") from None


def fit_rules(data: ScoreData, p: RulesParameters) -> RuleScorer:
    """Fit the level of the rules to the rows whose outcome is known.

    Raises
    ------
    DataError
        Where too few rows have the event, or have it not.
    ConfigurationError
        Where there is no rule, or one does not fit the features.
    """
    features, event, weight = known_rows(data, p.minimum_events)
    if not p.rules:
        raise ConfigurationError("rules: there is none; write at least one")
    inputs = _inputs(p.rules, features)
    plain = RuleScorer(RuleBook(level=0.0, rules=p.rules, inputs=inputs, scale=p.scale))
    factor = np.log([rule.odds for rule in p.rules])
    offset = plain.applies(features).astype(np.float64) @ factor
    [level] = newton(np.empty((len(event), 0)), event, weight, offset, np.empty(0))
    return RuleScorer(msgspec.structs.replace(plain.book, level=float(level)))


def _inputs(rules: tuple[Rule, ...], features: pd.DataFrame) -> tuple[Input, ...]:
    asked = {name: rule.name for rule in rules for name in rule.when}
    unknown = [name for name in asked if name not in features.columns]
    if unknown:
        raise ConfigurationError(
            f"rule {asked[unknown[0]]!r}: {unknown[0]!r} is no feature; there are "
            f"{', '.join(map(str, features.columns))}"
        )
    for rule in rules:
        for name, condition in rule.when.items():
            _check(rule, name, condition, number=is_number(features[name]))
    return tuple(_learned(name, features[name], rules) for name in asked)


def _check(rule: Rule, name: str, condition: Condition, *, number: bool) -> None:
    bounds = condition.at_least is not None or condition.below is not None
    if number and condition.among is not None:
        wrong = "is a number; give at_least or below"
    elif not number and bounds:
        wrong = "is a category; give among"
    elif not (bounds or condition.among is not None or condition.missing):
        wrong = "has no condition; give at_least, below, among or missing"
    elif condition.missing and (bounds or condition.among is not None):
        wrong = "cannot be missing and have a value; write two rules"
    else:
        return
    raise ConfigurationError(f"rule {rule.name!r}: {name} {wrong}")


def _learned(name: str, values: pd.Series, rules: tuple[Rule, ...]) -> Input:
    if is_number(values):
        return Input(name=name)
    named = [one for rule in rules for one in rule.when.get(name, Condition()).among or ()]
    seen = [str(one) for one in values.astype("category").cat.categories]
    return Input(name=name, categories=tuple(dict.fromkeys([*seen, *named])))


def _input(inputs: tuple[Input, ...], name: str) -> tuple[int, Input]:
    return next((at, one) for at, one in enumerate(inputs) if one.name == name)


def _holds(condition: Condition, one: Input, x: NDArray[np.float64]) -> NDArray[np.bool_]:
    if condition.missing:
        return np.isnan(x)
    if condition.among is not None:
        return np.isin(x, _ranks(condition, one))
    low = -np.inf if condition.at_least is None else condition.at_least
    high = np.inf if condition.below is None else condition.below
    return (x >= low) & (x < high)


def _ranks(condition: Condition, one: Input) -> list[float]:
    categories = one.categories or ()
    return [float(categories.index(name)) for name in condition.among or ()]


def _tree(rule: Rule, inputs: tuple[Input, ...]) -> Tree:
    """Return a rule as a tree: its answer where every condition holds, zero elsewhere."""
    tree: Tree = math.log(rule.odds)
    for name, condition in rule.when.items():
        tree = _asked(condition, *_input(inputs, name), tree)
    return tree


def _asked(condition: Condition, place: int, one: Input, then: Tree) -> Tree:
    if condition.missing:
        # No number is at most minus infinity but that itself, which no table holds.
        return Split(place, -1.7976931348623157e308, True, then, 0.0)
    if condition.among is not None:
        found: Tree = 0.0
        for rank in _ranks(condition, one):
            within = Split(place, rank - 0.5, False, found, then)
            found = Split(place, rank + 0.5, False, within, found)
        return found
    if condition.below is not None:
        then = Split(place, math.nextafter(condition.below, -math.inf), False, then, 0.0)
    low = -math.inf if condition.at_least is None else condition.at_least
    if math.isfinite(low):
        then = Split(place, math.nextafter(low, -math.inf), False, 0.0, then)
        # A missing number would take the right branch.
        then = Split(place, 1.7976931348623157e308, False, then, 0.0)
    return then
