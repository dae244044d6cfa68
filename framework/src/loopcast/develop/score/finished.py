"""Scorers as they answer: a template's own, and what was learned from rows it had not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from loopcast.api import Files, IntegrityError, LoopcastError, ScoreData, Scorer, Scores
from loopcast.api.formats import json_bytes
from loopcast.develop.calibration.learn import enough, learn
from loopcast.develop.calibration.maps import Calibration
from loopcast.develop.score.trial import checked
from loopcast.develop.score.unseen import Fit, out_of_fold

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.develop.course import Course
    from loopcast.develop.holdout import Holdout

CALIBRATION_FILE = "calibration.json"
"""Its name in a bundle."""


@dataclass(frozen=True, eq=False)
class FinishedScorer:
    """A template's scorer with its calibration.

    Points are those of the template, on its own odds: a calibration keeps their order, and what
    each characteristic adds to them.

    Attributes
    ----------
    model
        Of the template.
    """

    model: Scorer
    calibration: Calibration

    def predict(self, rows: pd.DataFrame) -> Scores:
        """Score rows and calibrate their probabilities.

        Raises
        ------
        ModelError
            Where the template's answer is no probability, or their number is wrong.
        """
        found = self.model.predict(rows)
        probability = np.asarray(found.probability, np.float64)
        checked(probability, rows, type(self.model).__name__)
        return replace(found, probability=self.calibration.apply(probability, rows))

    def save(self) -> Files:
        """Return the files of the template's scorer; those of its bundle hold the rest."""
        return self.model.save()


def finish(
    course: Course[Holdout], models: Mapping[str, Any], family: Mapping[str, ScoreData], fit: Fit
) -> dict[str, Any]:
    """Add to each scorer what is learned from rows that its like had not seen.

    Calibrations are fitted on predictions out of fold, so that neither they nor the rows by which
    they are judged later have been seen by the models that made these predictions. A segment with
    too few outcomes keeps the probabilities of its template.

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
    settings = course.calibration
    if settings.method == "none":
        return dict(models)
    labelled = {s: family[s] for s in models if enough(family[s].target, settings.minimum)}
    template = course.candidate.template.name
    unseen = out_of_fold(labelled, fit, settings.folds, course.seed, template)
    found = dict(models)
    for segment, probability in unseen.items():
        if isinstance(probability, LoopcastError):
            found[segment] = probability
        else:
            calibration = learn(probability, family[segment], settings)
            found[segment] = FinishedScorer(models[segment], calibration)
    return found


def parts_of(scorer: Scorer) -> tuple[Scorer, Calibration | None]:
    """Return the template's own scorer, and its calibration if it has one."""
    if isinstance(scorer, FinishedScorer):
        return scorer.model, scorer.calibration
    return scorer, None


def finished_files(scorer: Scorer) -> dict[str, bytes]:
    """Return what a bundle holds of a scorer beside the template's own files."""
    if not isinstance(scorer, FinishedScorer):
        return {}
    return {CALIBRATION_FILE: json_bytes(msgspec.to_builtins(scorer.calibration))}


def finished(model: Scorer, files: Files) -> Scorer:
    """Return a template's scorer with what its bundle holds beside it.

    Raises
    ------
    IntegrityError
        Where the calibration is none that this release understands.
    """
    if CALIBRATION_FILE not in files:
        return model
    try:
        calibration = msgspec.json.decode(files[CALIBRATION_FILE], type=Calibration)
    except (msgspec.DecodeError, ValueError, LoopcastError) as error:
        raise IntegrityError(f"{CALIBRATION_FILE} of the bundle: {error}") from None
    return FinishedScorer(model, calibration)
