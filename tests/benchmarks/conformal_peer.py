"""MAPIE's split conformal sets of two outcomes, from scores; run by `bench_calibration.py`."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from mapie.classification import SplitConformalClassifier  # type: ignore[import-not-found]
from sklearn.base import BaseEstimator, ClassifierMixin


class Scored(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose only feature is the probability."""

    classes_ = np.array([0, 1])

    def fit(self, x: Any, y: Any) -> Scored:
        self.fitted_ = True
        return self

    def predict_proba(self, x: Any) -> Any:
        return np.column_stack([1.0 - x[:, 0], x[:, 0]])

    def predict(self, x: Any) -> Any:
        return (x[:, 0] > 0.5).astype(int)


folder, confidence = sys.argv[1], float(sys.argv[2])
scores = np.load(f"{folder}/scores.npz")
model = SplitConformalClassifier(
    Scored().fit(None, None), confidence_level=confidence, conformity_score="lac", prefit=True
)
model.conformalize(scores["p"][:, None], scores["actual"].astype(int))
_, sets = model.predict_set(scores["judged"][:, None])
codes = sets[:, 1, 0] * 1 + sets[:, 0, 0] * 2
print(json.dumps(np.where(codes == 0, 3, codes).astype(int).tolist()))
