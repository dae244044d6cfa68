"""Remedies beside training again: what they do to a course and to its data.

Each yields an ordinary version, which is compared, gated and released like any other. What was
done is a file of its bundle, from which the version can be rebuilt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from loopcast.api import (
    ConfigurationError,
    DataError,
    Files,
    ForecastData,
    ForecastSchema,
    IntegrityError,
    Record,
    ScoreData,
    ScoreSchema,
    VersionId,
    npz_bytes,
    read_npz,
)
from loopcast.develop.known import Known
from loopcast.iterate.retrain.weights import effective_size, recent_weights
from loopcast.settings.retrain import Remedy

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.develop.course import Course

RETRAINING_FILE = "retraining.json"
WEIGHTS_FILE = "weights.npz"
"""Their names in a bundle."""

KnownT = TypeVar("KnownT", bound=Known[Any])


class Retraining(Record, frozen=True):
    """How a version was trained again.

    Attributes
    ----------
    features
        Inputs that were left out.
    champion
        Who was judged beside it; ``None`` where nobody served.
    since
        Until when the champion of a ranking was trained: both were judged on the later half of
        what came after.
    tried
        When there was last a training beside the champion that gave nothing in its place.
    rows, effective_rows, recent_rows
        Where rows were weighed: how many, how many equally weighted ones say as much (Kish), and
        how many of the recent population they were compared with.
    """

    remedy: Remedy
    features: tuple[str, ...] = ()
    champion: VersionId | None = None
    since: datetime | None = None
    tried: datetime | None = None
    rows: int | None = None
    effective_rows: float | None = None
    recent_rows: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Treatment:
    """What is done to the data of segments before they are trained again.

    Attributes
    ----------
    features
        Inputs to leave out.
    recent
        For ``reweight``: rows of the recent population, by segment.
    bound
        For ``reweight``: the largest ratio of two weights.
    """

    remedy: Remedy = "retrain"
    features: tuple[str, ...] = ()
    recent: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    bound: float = 20.0

    def among(self, segments: Collection[str]) -> Treatment:
        """Return the same for some segments."""
        return replace(self, recent={s: r for s, r in self.recent.items() if s in segments})

    def of(self, known: KnownT, segment: str, seed: int) -> tuple[KnownT, dict[str, bytes]]:
        """Return the data to train on, and what the bundle keeps of the treatment.

        Raises
        ------
        DataError
            Where the data does not have what is to be left out, or too little to weigh by.
        """
        if self.remedy == "drop_feature":
            return without(known, self.features), {}
        if self.remedy == "reweight":
            return self._weighed(known, segment, seed)
        return known, {}

    def _weighed(self, known: KnownT, segment: str, seed: int) -> tuple[KnownT, dict[str, bytes]]:
        recent = self.recent.get(segment)
        if recent is None:
            place = f" of segment {segment}" if segment else ""
            raise DataError(f"there are no recent events{place} to weigh by; predict first")
        inputs = known.training.features[list(recent.columns)]
        found = recent_weights(inputs, recent, bound=self.bound, seed=seed)
        return weighed(known, found.values), {
            WEIGHTS_FILE: npz_bytes({"weight": found.values, "recent": np.array([found.recent])})
        }


def treated_course(course: Course[Any], remedy: Remedy, features: Sequence[str]) -> Course[Any]:
    """Return the course of a training that leaves inputs out.

    Raises
    ------
    ConfigurationError
        Where the task has nothing that a remedy could work on.
    """
    task = course.logical_model.task
    if (remedy == "reweight" and task != "score") or (remedy == "drop_feature" and task == "rank"):
        raise ConfigurationError(
            f"retrain.remedy {remedy} is not for the task {task}, whose data has no "
            f"{'weights' if remedy == 'reweight' else 'features to leave out'}; choose retrain "
            "or fall_back"
        )
    schema = getattr(course, "schema", None)
    if remedy == "drop_feature" and isinstance(schema, ForecastSchema):
        reduced: Any = replace(course, schema=_without_covariates(schema, features))  # type: ignore[call-arg]
        return reduced  # type: ignore[no-any-return]
    return course


def without(known: KnownT, features: Sequence[str]) -> KnownT:
    """Leave inputs out; raises ``DataError`` where the data does not have them."""
    return _changed(known, lambda data: _leave_out(data, features))


def weighed(known: KnownT, weight: NDArray[np.float64]) -> KnownT:
    """Let rows count by weights, on top of those that they have.

    Raises
    ------
    IntegrityError
        Where there is not one weight for each row.
    """
    if len(weight) != len(known.training.weight):
        raise IntegrityError(
            f"{len(weight):,} weights for {len(known.training.weight):,} rows of training data"
        )
    return _changed(known, lambda data: replace(data, weight=data.weight * weight))


def treated_again(known: KnownT, files: Files) -> KnownT:
    """Repeat what a bundle says was done to the data of its training."""
    done = read_retraining(files)
    if done is None:
        return known
    if done.remedy == "drop_feature":
        return without(known, done.features)
    if done.remedy == "reweight":
        return weighed(known, read_npz(files[WEIGHTS_FILE])["weight"])
    return known


def retraining_files(
    treatment: Treatment, champion: VersionId | None, known: Known[Any], files: Files
) -> dict[str, bytes]:
    """Return the files that say how a version was trained again on what is known."""
    arrays = read_npz(files[WEIGHTS_FILE]) if WEIGHTS_FILE in files else None
    record = Retraining(
        remedy=treatment.remedy,
        features=treatment.features,
        champion=champion,
        since=known.since,
        tried=known.tried,
        rows=None if arrays is None else len(arrays["weight"]),
        effective_rows=None if arrays is None else effective_size(arrays["weight"]),
        recent_rows=None if arrays is None else int(arrays["recent"][0]),
    )
    return {**files, RETRAINING_FILE: msgspec.json.encode(record)}


def read_retraining(files: Files) -> Retraining | None:
    """Return how a version was trained again; ``None`` where it was not by the job retrain."""
    content = files.get(RETRAINING_FILE)
    return None if content is None else msgspec.json.decode(content, type=Retraining)


def told(files: Files) -> str:
    """Say what a remedy did to the data of a training; empty where it did nothing.

    Parameters
    ----------
    files
        Of the version's bundle.
    """
    done = read_retraining(files)
    if done is None or done.remedy in ("retrain", "fall_back"):
        return ""
    if done.effective_rows is None:
        return f"without {', '.join(done.features)}"
    return (
        f"{done.rows:,} rows, weighed by {done.recent_rows:,} recent ones, say as much as "
        f"{done.effective_rows:,.0f}"
    )


def _changed(known: KnownT, change: Any) -> KnownT:
    training = change(known.training)
    data = training if known.data is known.training else change(known.data)
    fingerprint = _fingerprint(training, known)
    dataset = msgspec.structs.replace(known.dataset, fingerprint=fingerprint)
    return replace(known, data=data, training=training, dataset=dataset)


def _fingerprint(training: Any, known: Known[Any]) -> str:
    if isinstance(training, ScoreData):
        from loopcast.develop.score import prepare as score

        return score.fingerprint(training)
    from loopcast.develop.forecast.dataset import KnownForecast
    from loopcast.develop.forecast.prepare import dataset_record

    assert isinstance(known, KnownForecast)
    record = known.dataset
    return dataset_record(record.name, training, record.origin, known.filled).fingerprint


def _leave_out(data: Any, features: Sequence[str]) -> Any:
    has = data.features.columns if isinstance(data, ScoreData) else list(data.covariates)
    absent = [name for name in features if name not in has]
    if absent:
        raise DataError(
            f"retrain.features names {absent[0]!r}, which is no input; there are {', '.join(has)}"
        )
    if isinstance(data, ScoreData):
        return replace(
            data,
            features=data.features.drop(columns=list(features)),
            schema=_without_features(data.schema, features),
        )
    assert isinstance(data, ForecastData)
    kept = {name: frame for name, frame in data.covariates.items() if name not in features}
    return replace(data, covariates=kept)


def _without_features(schema: ScoreSchema, features: Sequence[str]) -> ScoreSchema:
    kept = {
        name: msgspec.structs.replace(feature, used=False) if name in features else feature
        for name, feature in schema.features.items()
    }
    return msgspec.structs.replace(schema, features=kept)


def _without_covariates(schema: ForecastSchema, features: Sequence[str]) -> ForecastSchema:
    kept = {n: covariate for n, covariate in schema.covariates.items() if n not in features}
    return msgspec.structs.replace(schema, covariates=kept)
