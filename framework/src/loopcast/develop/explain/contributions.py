"""What each feature adds to a score: as the scorer knows it, or by Shapley values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopcast.api import Contributions, ExplainedScorer
from loopcast.develop.score.finished import parts_of

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import Scorer


def contributions_of(
    model: Scorer, rows: pd.DataFrame, background: pd.DataFrame, seed: int = 0
) -> Contributions:
    """Return what each part of a scorer adds to the log-odds of each row.

    They are those of the template's own scorer, before any calibration.

    Parameters
    ----------
    rows, background : DataFrame, shapes (rows, features) and (n, features)
        Used features; Shapley values compare each row with those of the background.
    seed
        Of the order in which sampled Shapley values let features in.

    Raises
    ------
    ConfigurationError
        Where the scorer does not explain itself and the package ``shap`` is not installed.
    """
    own, _ = parts_of(model)
    if isinstance(own, ExplainedScorer):
        return own.explain(rows)
    from loopcast.develop.explain.shapley import shapley

    return shapley(own, rows, background, seed)
