"""Hyperparameters of expert rules, apart from their code, since every start reads them."""

from __future__ import annotations

from typing import Annotated

import msgspec

from loopcast.api import Hyperparameters
from loopcast_credit.additive.scale import Scale


class Condition(Hyperparameters, frozen=True):
    """What a feature must be; a missing value satisfies ``missing`` alone.

    Attributes
    ----------
    at_least, below
        Bounds of a number, the lower one included.
    among
        Categories.
    missing
        Whether the value must be missing.
    """

    at_least: float | None = None
    below: float | None = None
    among: tuple[str, ...] | None = None
    missing: bool = False


class Rule(Hyperparameters, frozen=True):
    """A rule.

    Attributes
    ----------
    name
        For people.
    when
        Conditions by feature, all of which must hold.
    odds
        By what the odds of the event are multiplied where they do.
    """

    name: str
    when: dict[str, Condition]
    odds: Annotated[float, msgspec.Meta(gt=0.0)]


class RulesParameters(Hyperparameters, frozen=True):
    """Hyperparameters of expert rules.

    Attributes
    ----------
    rules
        Each that applies multiplies the odds.
    minimum_events
        Fewest training rows with the event, and fewest without: they give the level.
    scale
        Of the points.
    """

    rules: tuple[Rule, ...] = ()
    minimum_events: Annotated[int, msgspec.Meta(ge=1)] = 20
    scale: Scale = Scale()
