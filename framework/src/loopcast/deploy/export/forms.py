"""The forms that a version is exported in, and how each of them is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ConfigurationError, CScorer, ModelError, OnnxScorer, SqlScorer
from loopcast.deploy.export.calibrated.c import calibrated_c
from loopcast.deploy.export.calibrated.onnx import calibrated_onnx
from loopcast.deploy.export.calibrated.sql import calibrated_sql
from loopcast.develop.calibration.maps import Calibration

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Answers = "Iterator[tuple[str, NDArray[np.float64]]]"


@dataclass(frozen=True)
class Names:
    """How an exported statement calls the table and its key."""

    table: str
    key: str


@dataclass(frozen=True, eq=False)
class Form:
    """A language of production.

    Attributes
    ----------
    protocol
        What a scorer must be to be exported so.
    write
        Takes a template's scorer, its calibration if it has one, and names; returns the file's
        content, and a function that yields what it answers to rows: by whom it was run, and
        probabilities of shape (rows,).
    """

    protocol: type[Any]
    write: Callable[[Any, Calibration | None, Names], tuple[bytes, Callable[[pd.DataFrame], Any]]]


def _sql(
    model: SqlScorer, calibration: Calibration | None, names: Names
) -> tuple[bytes, Callable[[pd.DataFrame], Any]]:
    from loopcast.store.scratch import answers

    query = model.to_sql(names.table, names.key)
    if calibration is not None:
        query = calibrated_sql(query, calibration, names.table, names.key)
    return query.encode(), lambda rows: answers(query, names.table, names.key, rows)


def _c(
    model: CScorer, calibration: Calibration | None, names: Names
) -> tuple[bytes, Callable[[pd.DataFrame], Any]]:
    from loopcast.deploy.export.native import c_scores

    source = model.to_c()
    if calibration is not None:
        source = calibrated_c(source, calibration)

    def run(rows: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.float64]]]:
        yield "compiled C", c_scores(source, rows)

    return source.text.encode(), run


def _onnx(
    model: OnnxScorer, calibration: Calibration | None, names: Names
) -> tuple[bytes, Callable[[pd.DataFrame], Any]]:
    content = model.to_onnx()
    if calibration is not None:
        content = calibrated_onnx(content, calibration)

    def run(rows: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.float64]]]:
        yield "onnxruntime", _onnx_scores(content, rows)

    return content, run


def _onnx_scores(content: bytes, rows: pd.DataFrame) -> NDArray[np.float64]:
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise ConfigurationError(
            "ONNX is compared with the model by onnxruntime, which is not installed: pip install "
            "'loopcast[export]'"
        ) from None
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        feed = {one.name: _column(rows[one.name]) for one in session.get_inputs()}
        [found] = session.run(["probability"], feed)
    except Exception as error:
        raise ModelError(f"onnxruntime refuses the exported model: {error}") from error
    return np.asarray(found, np.float64).ravel()


def _column(values: pd.Series[Any]) -> NDArray[Any]:
    """Return a feature as a column: doubles, or strings that are empty where missing."""
    if values.dtype.kind == "f":
        return values.to_numpy(np.float64)[:, None]
    texts = values.astype(object)
    return texts.where(texts.notna(), "").to_numpy(object)[:, None]


FORMS = {
    "sql": Form(SqlScorer, _sql),
    "c": Form(CScorer, _c),
    "onnx": Form(OnnxScorer, _onnx),
}
