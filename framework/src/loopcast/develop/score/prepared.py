"""A template behind a preparation: what it learns from has passed the preparation first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Chosen:
    """A preparation with its options."""

    preparation: Preparation
    options: Any

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

    def statements(self, data: ScoreData, seed: int) -> tuple[str, ...]:
        """Say in sentences what it does to data, and what that assumes."""
        after = self.prepare(data, seed)
        return (
            f"Prepared by {self.preparation.name}: {self.preparation.summary}.",
            f"Before, {_share(data)}; after, {_share(after)}.",
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
    chosen: Chosen

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
        for segment, data in family.items():
            try:
                ready[segment] = self.chosen.prepare(data, context.seed)
            except LoopcastError as error:
                yield segment, error
        yield from self.template.fit(ready, hyperparameters, context)

    def load(self, files: Files) -> Scorer:
        """Rebuild a model from its files, as the template does."""
        return self.template.load(files)
