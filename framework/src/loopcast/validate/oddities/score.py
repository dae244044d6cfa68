"""Odd rows: what a scorer may be given."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from loopcast.api import Scores, ScoreSchema
from loopcast.validate.oddities.made import Oddity

FAR = 10.0
"""How many times the range of a feature without bounds an extreme lies beyond it."""

NEVER_SEEN = "never seen before"


def odd_rows(
    rows: pd.DataFrame, answer: Scores, schema: ScoreSchema, seed: int
) -> Iterator[Oddity]:
    """Yield odd variants of a scorer's scenario."""
    for name in map(str, rows.columns):
        yield from _of_feature(rows, name, schema)
    yield from _shuffled(rows, answer, np.random.default_rng(seed))
    same = rows.iloc[np.zeros(len(rows), np.intp)]
    yield Oddity(
        kind="constant",
        name="one row many times",
        inputs=same,
        expected=Scores(probability=np.full(len(rows), answer.probability[0])),
    )
    yield Oddity(
        kind="single",
        name="one row alone",
        inputs=rows.iloc[:1],
        expected=Scores(probability=answer.probability[:1]),
    )
    yield Oddity(
        kind="single",
        name="no row",
        inputs=rows.iloc[:0],
        expected=Scores(probability=answer.probability[:0]),
    )


def _of_feature(rows: pd.DataFrame, name: str, schema: ScoreSchema) -> Iterator[Oddity]:
    """Yield rows of which one feature is odd."""
    yield Oddity(kind="missing", name=f"missing {name}", inputs=_set(rows, name, np.nan))
    if isinstance(rows[name].dtype, pd.CategoricalDtype):
        unseen = pd.Categorical([NEVER_SEEN] * len(rows))
        yield Oddity(kind="unseen", name=f"unseen {name}", inputs=rows.assign(**{name: unseen}))
    elif schema.features[name].kind == "numeric":
        for word, value in _ends(rows[name], schema, name):
            yield Oddity(kind="extreme", name=f"{word} {name}", inputs=_set(rows, name, value))


def _set(rows: pd.DataFrame, name: str, value: float) -> pd.DataFrame:
    """Give all rows one value; a category becomes missing."""
    if isinstance(rows[name].dtype, pd.CategoricalDtype):
        column = pd.Categorical.from_codes(
            np.full(len(rows), -1), categories=rows[name].cat.categories
        )
        return rows.assign(**{name: column})
    return rows.assign(**{name: value})


def _ends(column: pd.Series[float], schema: ScoreSchema, name: str) -> Iterator[tuple[str, float]]:
    feature, known = schema.features[name], column.dropna()
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    far = FAR * max(high - low, 1.0)
    yield "lowest", low - far if feature.minimum is None else feature.minimum
    yield "highest", high + far if feature.maximum is None else feature.maximum


def _shuffled(rows: pd.DataFrame, answer: Scores, rng: np.random.Generator) -> Iterator[Oddity]:
    order = rng.permutation(len(rows))
    yield Oddity(
        kind="shuffled",
        name="rows in another order",
        inputs=rows.iloc[order],
        expected=Scores(probability=answer.probability[order]),
    )
    yield Oddity(
        kind="shuffled",
        name="columns in another order",
        inputs=rows.iloc[:, ::-1],
        expected=answer,
    )
