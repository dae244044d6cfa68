"""Scorers as they answer: a template's own, and what was learned from rows it had not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from loopcast.api import (
    Files,
    IntegrityError,
    LoopcastError,
    ScoreData,
    Scorer,
    Scores,
    SetSettings,
)
from loopcast.api.formats import json_bytes
from loopcast.develop.calibration.learn import enough, learn
from loopcast.develop.calibration.maps import Calibration
from loopcast.develop.score.sets import Bounds, DecisionSets, learn_sets
from loopcast.develop.score.settled import Settled
from loopcast.develop.score.trial import checked
from loopcast.develop.score.unseen import Fit, out_of_fold
from loopcast.settings import CalibrationSettings

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.develop.course import Course
    from loopcast.develop.holdout import Holdout

CALIBRATION_FILE, SETS_FILE = "calibration.json", "decision_sets.json"
SETTLED_FILE = "preparation_settled.json"
"""Their names in a bundle."""

PartT = TypeVar("PartT")


@dataclass(frozen=True, eq=False)
class FinishedScorer:
    """A template's scorer with its calibration and decision sets.

    Points are those of the template, on its own odds: a calibration keeps their order, and what
    each characteristic adds to them.

    Attributes
    ----------
    model
        Of the template.
    calibration, sets
        ``None`` where there are none.
    settled
        What trials of its preparation have settled, until the bundle has it.
    """

    model: Scorer
    calibration: Calibration | None = None
    sets: DecisionSets | None = None
    settled: Settled | None = None

    def predict(self, rows: pd.DataFrame) -> Scores:
        """Score rows, calibrate their probabilities, and draw their decision sets.

        Raises
        ------
        ModelError
            Where the template's answer is no probability, or their number is wrong.
        """
        found = self.model.predict(rows)
        probability = np.asarray(found.probability, np.float64)
        checked(probability, rows, type(self.model).__name__)
        if self.calibration is not None:
            probability = self.calibration.apply(probability, rows)
        sets = None if self.sets is None else self.sets.codes(probability, rows)
        return replace(found, probability=probability, sets=sets)

    def save(self) -> Files:
        """Return the files of the template's scorer; those of its bundle hold the rest."""
        return self.model.save()


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


def parts_of(scorer: Scorer) -> tuple[Scorer, Calibration | None]:
    """Return the template's own scorer, and its calibration if it has one."""
    if isinstance(scorer, FinishedScorer):
        return scorer.model, scorer.calibration
    return scorer, None


def finished_files(scorer: Scorer) -> dict[str, bytes]:
    """Return what a bundle holds of a scorer beside the template's own files."""
    if not isinstance(scorer, FinishedScorer):
        return {}
    parts = {
        CALIBRATION_FILE: scorer.calibration,
        SETS_FILE: scorer.sets,
        SETTLED_FILE: scorer.settled,
    }
    return {n: json_bytes(msgspec.to_builtins(p)) for n, p in parts.items() if p is not None}


def finished(model: Scorer, files: Files) -> Scorer:
    """Return a template's scorer with what its bundle holds beside it.

    Raises
    ------
    IntegrityError
        Where it holds something that this release does not understand.
    """
    calibration = calibration_of(files)
    sets = _read(files, SETS_FILE, DecisionSets)
    if calibration is None and sets is None:
        return model
    return FinishedScorer(model, calibration, sets)


def calibration_of(files: Files) -> Calibration | None:
    """Return the calibration that a bundle holds, if any; raises as :func:`finished` does."""
    return _read(files, CALIBRATION_FILE, Calibration)


def _read(files: Files, name: str, kind: type[PartT]) -> PartT | None:
    if name not in files:
        return None
    try:
        return msgspec.json.decode(files[name], type=kind)
    except (msgspec.DecodeError, LoopcastError) as error:
        raise IntegrityError(f"{name} of the bundle: {error}") from None
