"""Scorers as they answer and as bundles hold them: a template's own, and what it learned beside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from loopcast.api import (
    Files,
    IntegrityError,
    LoopcastError,
    Scorer,
    Scores,
)
from loopcast.api.formats import json_bytes
from loopcast.develop.calibration.maps import Calibration
from loopcast.develop.score.sets import DecisionSets
from loopcast.develop.score.settled import Settled
from loopcast.develop.score.trial import checked

if TYPE_CHECKING:
    import pandas as pd


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
