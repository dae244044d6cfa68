"""Settings of the job ``retrain``: when a segment is trained again, and by what remedy."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api import Record, Severity

Days = Annotated[int, msgspec.Meta(ge=1)]
Keep = Literal["all", "better"]
Remedy = Literal["retrain", "reweight", "drop_feature", "fall_back"]


class RetrainSettings(Record, frozen=True):
    """When a segment is trained again; ``None`` leaves a trigger out.

    Attributes
    ----------
    every_days
        By schedule, so many days after the last training.
    drift, performance
        An open alert of inputs or outputs, or of the KPI, that is at least so severe.
    lasting_days
        Such an alert counts when it has been there for so long: what a single bad day brings is
        gone before.
    outcomes
        So many outcomes that became known after the last training.
    least_days
        Days between trainings, at least; the truth delay of the logical model where that is
        longer, since nothing is known of a version before.
    most_days
        Days after which a version is trained again in any case.
    remedy
        What is done with what is due: ``suggested`` takes what most of the alerts suggest, and
        is ``retrain`` where they suggest nothing that a training can do.
    features
        For ``drop_feature``: which; where it is empty, those that drifted.
    recent_days
        For ``reweight``: the population of how many days is the one that counts.
    weight_bound
        For ``reweight``: no row counts more than so many times as much as another one.
    keep
        What becomes a version: ``all`` that is trained, or what is ``better`` than the champion
        or needs a person to decide. The rest is not fitted to all data, bundled and registered.
    train
        Whether to train what is due; otherwise decisions are told, and nothing is done.
    """

    every_days: Days | None = 90
    drift: Severity | None = "warning"
    performance: Severity | None = "warning"
    lasting_days: Annotated[int, msgspec.Meta(ge=0)] = 7
    outcomes: Days | None = None
    least_days: Days = 7
    most_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 365
    remedy: Literal[Remedy, "suggested"] = "retrain"
    features: tuple[str, ...] = ()
    recent_days: Days = 28
    weight_bound: Annotated[float, msgspec.Meta(gt=1.0)] = 20.0
    keep: Keep = "all"
    train: bool = True

    def check(self) -> None:
        """Between two trainings lies at least one day, and at most a year."""
        self.require(
            self.least_days <= self.most_days,
            f"least_days {self.least_days} is more than most_days {self.most_days}",
        )
        self.require(
            not self.features or self.remedy == "drop_feature",
            f"features are for remedy: drop_feature, not {self.remedy}",
        )
