"""Reject inference as preparations, with what each of them assumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from loopcast.api import Hyperparameters, ScoreData
from loopcast_credit.rejects.options import (
    AugmentationOptions,
    ExternalOptions,
    FuzzyOptions,
    ParcellingOptions,
    ReweightingOptions,
)


@dataclass(frozen=True)
class RejectInference:
    """A preparation of this package.

    Attributes
    ----------
    function
        Module of `loopcast_credit.rejects` and name of the function, which is imported when it
        is needed.
    stated
        The assumptions for given options.
    """

    name: str
    summary: str
    options: type[Hyperparameters]
    function: str
    stated: Callable[[Any], tuple[str, ...]]

    def assumptions(self, options: Any) -> tuple[str, ...]:
        """Return what has to hold for the result to be right."""
        return self.stated(options)

    def prepare(self, data: ScoreData, options: Any, seed: int) -> ScoreData:
        """Return rows and weights to learn from; raises as the function does."""
        module, _, name = self.function.partition(".")
        function = getattr(import_module(f"loopcast_credit.rejects.{module}"), name)
        prepared: ScoreData = function(data, options, seed)
        return prepared


SAME_OUTCOMES = (
    "Nothing but features of the table decided both on acceptance and on the outcome: of two "
    "applicants with the same features, the rejected one would have done as the accepted one did."
)
UNTESTED = "No outcome of a rejected applicant has been seen, so that none of this can be tested."


def _reweighting(options: ReweightingOptions) -> tuple[str, ...]:
    return (
        SAME_OUTCOMES,
        "Applicants of every kind had some chance to be accepted; rows whose chance was less than "
        f"{options.least:g} count as if it were that much.",
        "Rare accepted applicants weigh much, so that the scores are less certain than their "
        "number suggests.",
        UNTESTED,
    )


def _augmentation(options: AugmentationOptions) -> tuple[str, ...]:
    return (
        f"In each of {options.bands} bands of a first score, the rejected would have done as the "
        "accepted did.",
        "A band without accepted applicants is taken to be like the next one.",
        UNTESTED,
    )


def _fuzzy(options: FuzzyOptions) -> tuple[str, ...]:
    return (
        f"The odds of the event of a rejected applicant are {options.odds:g} times what a model "
        "of the accepted says of the same features.",
        "That model holds beyond the applicants from whom it was learned.",
        "What a model inferred counts as much as what was seen: rows of both outcomes make the "
        "scores look more certain than they are.",
        UNTESTED,
    )


def _parcelling(options: ParcellingOptions) -> tuple[str, ...]:
    return (
        f"In each of {options.bands} bands of a first score, the event rate of the rejected is "
        f"{options.rate:g} times that of the accepted.",
        "Who of them had the event is drawn by lot, from the seed of the run.",
        UNTESTED,
    )


def _external(options: ExternalOptions) -> tuple[str, ...]:
    return (
        f"{options.column or 'The external column'} tells as much of the outcome of a rejected "
        "applicant as of that of an accepted one.",
        "It was known when the decision was made, or is the outcome of a like loan elsewhere.",
        UNTESTED,
    )


PREPARATIONS = (
    RejectInference(
        "credit.reweighting",
        "accepted applicants weigh by the inverse of their probability of acceptance",
        ReweightingOptions,
        "weighting.reweight",
        _reweighting,
    ),
    RejectInference(
        "credit.augmentation",
        "accepted applicants weigh by the share that was accepted in their band of a first score",
        AugmentationOptions,
        "weighting.augment",
        _augmentation,
    ),
    RejectInference(
        "credit.fuzzy_parcelling",
        "rejected applicants count as both outcomes, by the probability that a first score says",
        FuzzyOptions,
        "imputing.parcel_fuzzily",
        _fuzzy,
    ),
    RejectInference(
        "credit.parcelling",
        "rejected applicants have outcomes by lot, at the event rate of their score band",
        ParcellingOptions,
        "imputing.parcel",
        _parcelling,
    ),
    RejectInference(
        "credit.external_calibration",
        "rejected applicants count as both outcomes, by what an external column says of them",
        ExternalOptions,
        "imputing.calibrate_externally",
        _external,
    ),
)
