"""A template behind a preparation: what it learns from has passed the preparation first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import msgspec
import numpy as np

from loopcast.api import (
    Files,
    FitContext,
    Hyperparameters,
    LoopcastError,
    Mitigation,
    Preparation,
    ScoreData,
    Scorer,
    Template,
)
from loopcast.develop.decision import Decision
from loopcast.develop.score.finished import SETTLED_FILE, FinishedScorer
from loopcast.develop.score.settled import FitOne, Settled, Settling


@dataclass(frozen=True, eq=False)
class ChosenPreparation:
    """A preparation with its options.

    Attributes
    ----------
    decision
        What the scores lead to.
    """

    preparation: Preparation
    options: Any
    decision: Decision = field(default_factory=Decision)

    def described(self) -> list[object]:
        """Return it as plain values."""
        return [self.preparation.name, msgspec.to_builtins(self.options)]

    @property
    def alternative(self) -> str:
        """What versions are labelled as, where they are alternatives beside unconstrained ones."""
        if not isinstance(self.preparation, Mitigation):
            return ""
        return self.preparation.alternative(self.options)

    def prepare(self, data: ScoreData, seed: int) -> ScoreData:
        """Return rows and weights to learn from; raises as the preparation does."""
        return self.preparation.prepare(data, self.options, seed)

    @property
    def settles(self) -> bool:
        """Whether trials of a template settle its options."""
        return isinstance(self.preparation, Settling)

    def settle(self, data: ScoreData, fit: FitOne, seed: int) -> Settled:
        """Let trials settle the options; raises as the preparation does."""
        assert isinstance(self.preparation, Settling)
        return self.preparation.settle(data, self.options, self.decision, fit, seed)

    def with_options(self, options: Mapping[str, Any]) -> ChosenPreparation:
        """Return it with other options, which are plain values."""
        return replace(self, options=msgspec.convert(options, self.preparation.options))

    def statements(self, data: ScoreData, seed: int, files: Files) -> tuple[str, ...]:
        """Say in sentences what it does to data, and what that assumes.

        Parameters
        ----------
        files
            Of the version, which hold what was settled.
        """
        chosen = self
        told: tuple[str, ...] = ()
        if SETTLED_FILE in files:
            settled = msgspec.json.decode(files[SETTLED_FILE], type=Settled)
            chosen, told = self.with_options(settled.options), settled.told
        after = chosen.prepare(data, seed)
        return (
            f"Prepared by {self.preparation.name}: {self.preparation.summary}.",
            f"Before, {_share(data)}; after, {_share(after)}.",
            *told,
            *self.preparation.assumptions(self.options),
        )


def _share(data: ScoreData) -> str:
    known = ~np.isnan(data.target)
    weight = data.weight[known]
    share = float(np.average(data.target[known], weights=weight))
    return (
        f"{int(known.sum())} of {len(known)} rows have an outcome, which is "
        f"{data.schema.event!r} for {share:.1%} of their weight of {weight.sum():.6g}"
    )


@dataclass(frozen=True, eq=False)
class PreparedTemplate:
    """A template of the task *score* whose training data is prepared, segment by segment."""

    template: Template[ScoreData, Scorer]
    chosen: ChosenPreparation

    @property
    def name(self) -> str:
        """Of the template."""
        return self.template.name

    @property
    def task(self) -> Literal["score"]:
        """The only task with preparations."""
        return "score"

    @property
    def summary(self) -> str:
        """Of the template."""
        return self.template.summary

    @property
    def hyperparameters(self) -> type[Hyperparameters]:
        """Of the template."""
        return self.template.hyperparameters

    def fit(
        self, family: Mapping[str, ScoreData], hyperparameters: Any, context: FitContext
    ) -> Iterator[tuple[str, Scorer | LoopcastError]]:
        """Prepare each segment, then fit; an error of the preparation is its segment's outcome."""
        ready: dict[str, ScoreData] = {}
        settled: dict[str, Settled] = {}
        for segment, data in family.items():
            chosen = self.chosen
            try:
                if chosen.settles:
                    fit = partial(self._fit_one, hyperparameters, context, segment)
                    settled[segment] = chosen.settle(data, fit, context.seed)
                    chosen = chosen.with_options(settled[segment].options)
                ready[segment] = chosen.prepare(data, context.seed)
            except LoopcastError as error:
                yield segment, error
        for segment, found in self.template.fit(ready, hyperparameters, context):
            if segment in settled and not isinstance(found, LoopcastError):
                yield segment, FinishedScorer(found, settled=settled[segment])
            else:
                yield segment, found

    def _fit_one(
        self, hyperparameters: Any, context: FitContext, segment: str, data: ScoreData
    ) -> Scorer:
        [(_, found)] = self.template.fit({segment: data}, hyperparameters, context)
        if isinstance(found, LoopcastError):
            raise found
        return found

    def load(self, files: Files) -> Scorer:
        """Rebuild a model from its files, as the template does."""
        return self.template.load(files)
