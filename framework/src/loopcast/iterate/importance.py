"""Importance of features on the rows that a version was judged on.

A bundle keeps what was said of the judged rows, and not the rows. They are read again, and the
model that was judged is fitted again: to the training part alone, so that it has not learned from
them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import FitContext, IntegrityError, LoopcastError, ScoreOutcome, take
from loopcast.develop.contest import judged_again
from loopcast.develop.engine import LocalEngine
from loopcast.develop.explain.importance import permutation_importance
from loopcast.develop.score.trial import probabilities
from loopcast.iterate.again import read_again
from loopcast.iterate.score import TRIAL
from loopcast.iterate.settings_file import read_settings

if TYPE_CHECKING:
    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.develop.explain.importance import Importance
    from loopcast.plugins import PluginManager

ROWS = 2_000
"""Judged rows that are looked at, drawn by the seed where there are more."""

_SAME = 1e-6


def importance_of(loaded: LoadedVersion, plugins: PluginManager, *, base: Path) -> list[Importance]:
    """Return how much worse a score's version is judged without each feature, by its KPI.

    Parameters
    ----------
    base
        Folder that relative paths to data start from.

    Raises
    ------
    DataError
        Where the training data is gone or has changed.
    IntegrityError
        Where the model that is fitted again is not the one that was judged.
    """
    again = read_again(plugins, loaded.bundle, read_settings(loaded.bundle.files), base=base)
    course, context = again.course, FitContext(seed=again.course.seed, engine=LocalEngine())
    split, model = judged_again(course, again.known.data, TRIAL, context)
    template = course.candidate.template.name
    said = probabilities(model, split.judged.features, template)
    outcome = next(iter(loaded.judged().outcomes.values()))
    assert isinstance(outcome, ScoreOutcome)
    if not np.allclose(said, outcome.probability, rtol=0.0, atol=_SAME):
        raise IntegrityError(
            f"template {template}, fitted again to the training part of {again.source}, scores the "
            "judged rows otherwise than it did; 'loopcast models rebuild' says what has changed"
        )
    rows = _drawn(len(said), course.seed)
    metric = next(m for m in course.metrics if m.name == course.logical_model.kpi.metric)
    return permutation_importance(
        lambda table: probabilities(model, table, template),
        split.judged.features.iloc[rows],
        take(outcome, rows),
        metric,
        seed=course.seed,
    )


def importance_or_reason(
    loaded: LoadedVersion, plugins: PluginManager, *, base: Path
) -> tuple[list[Importance], str]:
    """Return the importance of each feature, or why it cannot be measured here and now."""
    if loaded.logical_model.task != "score":
        return [], "it is measured of scores"
    try:
        return importance_of(loaded, plugins, base=base), ""
    except LoopcastError as error:
        return [], str(error)


def _drawn(count: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.sort(np.random.default_rng(seed).permutation(count)[:ROWS])
