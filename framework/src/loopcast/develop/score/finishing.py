"""What a fitted scorer still learns from rows it had not seen: calibration and decision sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from loopcast.api import LoopcastError, ScoreData, Scorer, SetSettings
from loopcast.develop.calibration.learn import enough, learn
from loopcast.develop.score.finished import FinishedScorer
from loopcast.develop.score.sets import Bounds, DecisionSets, learn_sets
from loopcast.develop.score.unseen import Fit, out_of_fold
from loopcast.settings import CalibrationSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from loopcast.develop.course import Course
    from loopcast.develop.holdout import Holdout


def finish(
    course: Course[Holdout], models: Mapping[str, Any], family: Mapping[str, ScoreData], fit: Fit
) -> dict[str, Any]:
    """Add to each scorer what is learned from rows that its like had not seen.

    Calibrations and decision sets are learned from predictions out of fold, so that neither they
    nor the rows by which they are judged later have been seen by the models that made these
    predictions. A segment with too few outcomes keeps the probabilities of its template, and its
    decision sets rule nothing out.

    Parameters
    ----------
    models
        Fitted on the data of ``family``, by segment.
    fit
        Fits the same template to other data.

    Returns
    -------
    mapping
        The finished scorer of each segment, or the error that stopped it.
    """
    settings, sets = course.calibration, course.logical_model.decision.sets
    if settings.method == "none" and sets is None:
        return dict(models)
    labelled = {s: family[s] for s in models if enough(family[s].target, settings.minimum)}
    template = course.candidate.template.name
    unseen = out_of_fold(labelled, fit, settings.folds, course.seed, template)
    found: dict[str, Any] = {
        s: _undecided(model, sets) for s, model in models.items() if s not in labelled
    }
    for segment, probability in unseen.items():
        found[segment] = (
            probability
            if isinstance(probability, LoopcastError)
            else _finished(models[segment], probability, family[segment], settings, sets)
        )
    return found


def _finished(
    model: Scorer,
    unseen: NDArray[np.float64],
    data: ScoreData,
    settings: CalibrationSettings,
    sets: SetSettings | None,
) -> FinishedScorer:
    calibration = None if settings.method == "none" else learn(unseen, data, settings)
    if calibration is not None:
        unseen = calibration.apply(unseen, data.features)
    drawn = None if sets is None else learn_sets(unseen, data, sets)
    return replace(_wrapped(model), calibration=calibration, sets=drawn)


def _undecided(model: Scorer, sets: SetSettings | None) -> Scorer:
    """Return a scorer of too few outcomes; its sets, if they are asked for, rule nothing out."""
    if sets is None:
        return model
    drawn = DecisionSets(confidence=sets.confidence, whole=Bounds(), rows=0, events=0)
    return replace(_wrapped(model), sets=drawn)


def _wrapped(model: Scorer) -> FinishedScorer:
    return model if isinstance(model, FinishedScorer) else FinishedScorer(model)
