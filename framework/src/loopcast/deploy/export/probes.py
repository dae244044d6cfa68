"""Rows on which an export is compared with its model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

UNSEEN = "no such 'category', \"ever\" \\ ü"
"""A category that no model has seen, of characters that break careless quoting."""


def probes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a test scenario, and the first one with each feature made odd in turn.

    A number is missing, zero, negative and larger than any; a category is missing and unseen.

    Parameters
    ----------
    rows : DataFrame, shape (rows, features)
        Numbers as float64, categories as ``category``.
    """
    first = rows.iloc[:1].astype(object)
    odd = [first.assign(**{name: value}) for name, value in _oddities(rows)]
    nothing = first.assign(**dict.fromkeys(map(str, rows.columns), np.nan))
    every = pd.concat([rows.astype(object), *odd, nothing], ignore_index=True)
    texts = {str(name): dtype.kind != "f" for name, dtype in rows.dtypes.items()}
    return every.astype({name: "category" if text else "float64" for name, text in texts.items()})


def _oddities(rows: pd.DataFrame) -> Iterator[tuple[str, float | str]]:
    for name, column in rows.items():
        yield str(name), np.nan
        if column.dtype.kind != "f":
            yield str(name), UNSEEN
            continue
        for value in (0.0, -1.0, 1e12, -1e12):
            yield str(name), value
