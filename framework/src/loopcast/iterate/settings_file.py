"""The settings of a training in its bundle: all that is needed to do it again, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from loopcast.api import Files, IntegrityError, LogicalModel, Record
from loopcast.settings import (
    BacktestSettings,
    CalibrationSettings,
    CheckSettings,
    DataSettings,
    HoldoutSettings,
    PreparationSettings,
    TemplateSettings,
)

if TYPE_CHECKING:
    from loopcast.settings import RunSettings

SETTINGS_FILE = "settings.json"
"""Its name in a bundle."""


class TrainingSettings(Record, frozen=True):
    """What decides a training: of the settings of a run, all but where it runs and is stored.

    Attributes
    ----------
    origin
        The first local day to forecast, which training data ends before.
    """

    logical_model: LogicalModel
    data: DataSettings
    template: TemplateSettings
    baselines: dict[str, TemplateSettings]
    backtest: BacktestSettings
    holdout: HoldoutSettings
    checks: CheckSettings
    reconciliation: str
    seed: int
    origin: str | None
    fallback: TemplateSettings | None = None
    calibration: CalibrationSettings = CalibrationSettings()
    preparation: PreparationSettings = PreparationSettings()


def settings_bytes(settings: RunSettings, origin: str | None = None) -> bytes:
    """Encode what decides a training.

    Parameters
    ----------
    origin
        The first day to forecast, as the data gave it; by default as the run was told.
    """
    kept = TrainingSettings(
        logical_model=settings.logical_model,
        data=settings.data,
        template=settings.template,
        baselines=settings.baselines,
        backtest=settings.backtest,
        holdout=settings.holdout,
        checks=settings.checks,
        reconciliation=settings.reconciliation,
        seed=settings.seed,
        origin=origin or settings.job.origin,
        fallback=settings.fallback,
        calibration=settings.calibration,
        preparation=settings.preparation,
    )
    return msgspec.json.encode(kept)  # in the order of the configuration, which columns keep


def read_settings(files: Files) -> TrainingSettings:
    """Decode the settings of a version's training.

    Raises
    ------
    IntegrityError
        Where the bundle has none that this release understands.
    """
    if SETTINGS_FILE not in files:
        raise IntegrityError(
            f"the bundle has no {SETTINGS_FILE}, from which a version is rebuilt; it was trained "
            "by an older release of loopcast"
        )
    try:
        return msgspec.json.decode(files[SETTINGS_FILE], type=TrainingSettings)
    except (msgspec.DecodeError, ValueError) as error:
        raise IntegrityError(f"{SETTINGS_FILE} of the bundle: {error}") from None
