"""Scoring models in the languages of production: SQL, C and ONNX.

A scorer that offers one of these forms has its method beside :class:`Scorer`'s own. The core
runs what it returns and compares it with the model before anyone gets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class SqlScorer(Protocol):
    """A scorer that can say itself in SQL."""

    def to_sql(self, table: str, key: str) -> str:
        """Return one SELECT of the columns ``key``, ``log_odds`` and ``probability``.

        It is plain SQL with ``EXP``, as SQLite, DuckDB and PostgreSQL run it. The table has a
        column for each feature, NULL where missing.

        Parameters
        ----------
        table, key
            Name of the table, and of the column that identifies a row.
        """
        ...


@dataclass(frozen=True)
class CSource:
    """A scorer in C.

    Attributes
    ----------
    text
        One translation unit of C99, which needs the mathematics library only. It defines ::

            double loopcast_score(const double *numbers, const char *const *texts);
            void loopcast_scores(long rows, const double *numbers, const char *const *texts,
                                 double *probabilities);

        the probability of one row, and those of several rows that follow each other.
    numbers
        Features in the order of ``numbers``, NaN where missing.
    texts
        Categories in the order of ``texts``, NULL where missing.
    """

    text: str
    numbers: tuple[str, ...]
    texts: tuple[str, ...]


@runtime_checkable
class CScorer(Protocol):
    """A scorer that can say itself in C."""

    def to_c(self) -> CSource:
        """Return the source."""
        ...


@runtime_checkable
class OnnxScorer(Protocol):
    """A scorer that can say itself as an ONNX model."""

    def to_onnx(self) -> bytes:
        """Return the model.

        It has an input of shape (rows, 1) for each feature that it asks, by its name: doubles with
        NaN where missing, or strings, empty where missing. Its output ``probability`` has shape
        (rows, 1).
        """
        ...
