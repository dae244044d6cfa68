"""Boosted trees that score."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from loopcast.api import (
    Contributions,
    CSource,
    Files,
    IntegrityError,
    ModelError,
    Record,
    ScoreData,
    Scores,
)
from loopcast_credit.additive.known import known_rows
from loopcast_credit.additive.scale import Scale
from loopcast_credit.additive.scorer import logistic
from loopcast_credit.boost.encode import Input, encode, learn_inputs
from loopcast_credit.boost.hyperparameters import BoostingParameters
from loopcast_credit.boost.train import train
from loopcast_credit.boost.trees import Tree, library, trees_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from lightgbm import Booster
    from numpy.typing import NDArray


class Inputs(Record, frozen=True):
    """What a booster's numbers are, and the scale of its points."""

    inputs: tuple[Input, ...]
    scale: Scale


@dataclass(frozen=True, eq=False)
class BoostedScorer:
    """Boosted trees that score.

    Attributes
    ----------
    inputs
        How features become numbers.
    text
        The trees in LightGBM's own text format.
    """

    inputs: Inputs
    text: str

    @cached_property
    def booster(self) -> Booster:
        """The trees, ready to answer."""
        lightgbm = library()
        try:
            booster: Booster = lightgbm.Booster(model_str=self.text)
        except lightgbm.basic.LightGBMError as error:
            raise ModelError(f"not trees of LightGBM: {error}") from None
        return booster

    @property
    def trees(self) -> list[Tree]:
        """The trees as plain values, for exports."""
        return trees_of(self.booster)

    def predict(self, rows: pd.DataFrame) -> Scores:
        """Score rows.

        Raises
        ------
        ModelError
            Where a feature is missing from the columns.
        """
        log_odds = self.log_odds(rows)
        points = self.inputs.scale.offset - self.inputs.scale.factor * log_odds
        return Scores(probability=logistic(log_odds), points=points)

    def log_odds(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log-odds of the event, shape (rows,)."""
        import numpy as np

        matrix = encode(self.inputs.inputs, rows)
        if not len(matrix):
            return np.empty(0)
        return np.asarray(self.booster.predict(matrix, raw_score=True, num_threads=1), np.float64)

    def explain(self, rows: pd.DataFrame) -> Contributions:
        """Return the exact Shapley values of the trees, in LightGBM's own computation.

        A branch that is not asked counts by the training rows that took it.

        Source: S. M. Lundberg, G. Erion and S.-I. Lee (2018), Consistent individualized feature
        attribution for tree ensembles, arXiv 1802.03888.
        """
        import numpy as np

        matrix, width = encode(self.inputs.inputs, rows), len(self.inputs.inputs)
        found = np.empty((0, width + 1))
        if len(matrix):
            raw = self.booster.predict(matrix, pred_contrib=True, num_threads=1)
            found = np.asarray(raw, np.float64)
        return Contributions(
            parts=tuple(one.name for one in self.inputs.inputs),
            base=float(found[0, -1]) if len(found) else 0.0,
            added=found[:, :-1],
            method="Shapley values of the trees, exactly",
        )

    def to_sql(self, table: str, key: str) -> str:
        """Return the trees as one SELECT; see :class:`loopcast.api.SqlScorer`."""
        from loopcast_credit.export.sql import trees_sql

        return trees_sql(self.inputs.inputs, self.trees, table, key)

    def to_c(self) -> CSource:
        """Return the trees in C; see :class:`loopcast.api.CScorer`."""
        from loopcast_credit.export.c import trees_c

        return trees_c(self.inputs.inputs, self.trees)

    def to_onnx(self) -> bytes:
        """Return the trees as an ONNX model; see :class:`loopcast.api.OnnxScorer`."""
        from loopcast_credit.export.onnx import trees_onnx

        return trees_onnx(self.inputs.inputs, self.trees)

    def save(self) -> Files:
        """Return the inputs, and the trees as text."""
        return {"inputs.json": msgspec.json.encode(self.inputs), "trees.txt": self.text.encode()}


def load_boosted(files: Files) -> BoostedScorer:
    """Rebuild a scorer from its files.

    Raises
    ------
    IntegrityError
        When the inputs are not what :meth:`BoostedScorer.save` wrote.
    """
    try:
        inputs = msgspec.json.decode(files["inputs.json"], type=Inputs)
    except (msgspec.DecodeError, ValueError) as error:
        raise IntegrityError(f"not the inputs of boosted trees: {error}") from None
    return BoostedScorer(inputs, files["trees.txt"].decode())


def fit_boosting(data: ScoreData, p: BoostingParameters, seed: int) -> BoostedScorer:
    """Fit boosted trees to the rows whose outcome is known.

    Raises
    ------
    DataError
        Where too few rows have the event, or have it not.
    ConfigurationError
        For a direction of risk of what is no number, or where LightGBM is not installed.
    """
    features, event, weight = known_rows(data, p.minimum_events)
    inputs = learn_inputs(features, event, weight)
    matrix = encode(inputs, features)
    booster = train(matrix, event, weight, inputs, p, leaves=p.leaves, seed=seed)
    return BoostedScorer(Inputs(inputs=inputs, scale=p.scale), booster.model_to_string())
