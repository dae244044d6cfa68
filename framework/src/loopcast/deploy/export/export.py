"""Export a version: write it in a form, compare it with its model, and only then keep it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import Digest, IntegrityError, ModelError, StoreError
from loopcast.deploy.export.forms import FORMS, Names
from loopcast.deploy.export.probes import probes
from loopcast.deploy.export.tflite.export import TOLERANCE, checked_file
from loopcast.develop.score.finished import parts_of
from loopcast.plugins import calling

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.store.home import Home

TOLERANCES = {"sql": 1e-12, "c": 1e-12, "onnx": 1e-12, "tflite": TOLERANCE}
"""Largest difference between an export and its model: of a probability, or, where a form computes
in float32, of an answer as a share of the largest."""


@dataclass(frozen=True)
class Exported:
    """An export that agrees with its model.

    Attributes
    ----------
    form
        ``sql``, ``c``, ``onnx`` or ``tflite``.
    content
        Of the file.
    rows
        How many rows it was compared on.
    worst
        Largest difference, by whom it was run.
    """

    form: str
    content: bytes
    rows: int
    worst: dict[str, float]


def export(
    loaded: LoadedVersion,
    form: str,
    names: Names,
    tolerance: float | None = None,
    *,
    series: str = "",
    ready: bytes | None = None,
) -> Exported:
    """Write a version in a form, and compare it with its model on the bundle's test scenario.

    Beside the scenario's rows, a score is compared on rows that are odd in each feature: missing,
    unseen, beyond all bounds.

    Parameters
    ----------
    tolerance
        Largest difference; that of `TOLERANCES` where it is ``None``.
    series
        Of a forecast, the series that a .tflite file is of; empty where there is one only.
    ready
        A .tflite file of the version that another converter has made, to be taken if it agrees.

    Raises
    ------
    ModelError
        Where the model has no such form.
    IntegrityError
        Where the two disagree by more than ``tolerance``.
    ConfigurationError
        Where the package that runs the form is not installed.
    """
    allowed = TOLERANCES[form] if tolerance is None else tolerance
    if form == "tflite":
        return Exported(form, *checked_file(loaded, ready, allowed, series))
    return _in_a_language(loaded, form, names, allowed)


def _in_a_language(loaded: LoadedVersion, form: str, names: Names, tolerance: float) -> Exported:
    scorer, calibration = parts_of(loaded.model)
    if not isinstance(scorer, FORMS[form].protocol):
        offered = [name for name, one in FORMS.items() if isinstance(scorer, one.protocol)]
        raise ModelError(
            f"template {loaded.version.template} has no export to {form}; it offers "
            f"{', '.join(offered) or 'none'}"
        )
    rows = probes(_scenario(loaded))
    with calling(loaded.version.template, f"to_{form}"):
        content, run = FORMS[form].write(scorer, calibration, names)
    with calling(loaded.version.template, "predict"):
        expected = loaded.model.predict(rows).probability
    worst = {}
    for name, found in run(rows):
        worst[name] = _difference(np.asarray(found, np.float64), expected)
        if not worst[name] <= tolerance:
            raise IntegrityError(
                f"version {loaded.version.id}: {form}, run by {name}, differs from the model by up "
                f"to {worst[name]:.3g} in a probability, and {tolerance:g} is allowed; nothing was "
                "exported"
            )
    return Exported(form, content, len(rows), worst)


def _scenario(loaded: LoadedVersion) -> pd.DataFrame:
    from loopcast.deploy.score_bundle import read_scenario

    if loaded.logical_model.task != "score":
        raise ModelError(
            f"{loaded.logical_model.name} is of the task {loaded.logical_model.task}, and exports "
            "to SQL, C and ONNX are made of scores"
        )
    return read_scenario(loaded.bundle.files)[0]


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference; NaN, which is within no tolerance, where one is missing."""
    if found.shape != expected.shape:
        return float("nan")
    return float(np.abs(found - expected).max())


def keep(home: Home, loaded: LoadedVersion, done: Exported, *, by: str, output: Path) -> Digest:
    """Store an export, enter it in the audit log, and write its file whole or not at all.

    Returns
    -------
    str
        Digest of the file, by which the store has it.

    Raises
    ------
    StoreError
        Where the file cannot be written.
    """
    digest = home.artifacts.put(done.content)
    details = {
        "version": loaded.version.id,
        "form": done.form,
        "file": digest,
        "size": len(done.content),
        "rows": done.rows,
        "worst": done.worst,
    }
    home.catalog.note_export(loaded.version.id, details, by=by)
    write_file(output, done.content)
    return digest


def write_file(output: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    StoreError
        Where it cannot be written.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=output.parent, delete=False) as file:
            file.write(content)
        Path(file.name).chmod(0o666 & ~_umask())
        Path(file.name).replace(output)
    except OSError as error:
        raise StoreError(f"{output} cannot be written: {error.strerror or error}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
