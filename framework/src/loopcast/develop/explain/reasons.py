"""Reason codes: what counted most against a person, in plain texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Contributions, Feature
    from loopcast.develop.decision import Side

UNKNOWN = "not known"


def reason_places(contributions: Contributions, most: int, favourable: Side) -> NDArray[np.intp]:
    """Return which parts count most against each row, the strongest first.

    Parameters
    ----------
    most
        How many at most.
    favourable
        Which scores are in favour of the person.

    Returns
    -------
    ndarray, shape (rows, most)
        Places among the parts; −1 where nothing more counts against the row.
    """
    against = contributions.added if favourable == "low" else -contributions.added
    order = np.argsort(-against, axis=1, kind="stable")[:, :most]
    counts = np.take_along_axis(against, order, axis=1) > 0.0
    found = np.full((len(against), most), -1, np.intp)
    found[:, : order.shape[1]] = np.where(counts, order, -1)
    return found


def reason_texts(
    places: NDArray[np.intp],
    parts: tuple[str, ...],
    rows: pd.DataFrame,
    features: Mapping[str, Feature],
) -> NDArray[Any]:
    """Return reasons in plain texts, shape (rows, most), ``None`` where there is none.

    A feature is named with its value in the row: ``Income: 90 thousand a month``. A rule is its
    own text.
    """
    texts = np.full(places.shape, None, object)
    for place, part in enumerate(parts):
        row, column = np.nonzero(places == place)
        if part in features:
            texts[row, column] = _named(features[part], part, rows[part].iloc[row])
        else:
            texts[row, column] = part
    return texts


def _named(feature: Feature, name: str, values: pd.Series[Any]) -> NDArray[Any]:
    """Return the texts of a feature's values; each distinct value is put into words once."""
    codes, distinct = pd.factorize(values.astype(object), use_na_sentinel=True)
    worded = [f"{feature.title or name}: {value_text(feature, value)}" for value in distinct]
    unknown = f"{feature.title or name}: {UNKNOWN}"
    return np.array([*worded, unknown], object)[codes]


def value_text(feature: Feature, value: Any) -> str:
    """Return a value with its unit, as people read it.

    Examples
    --------
    >>> from loopcast.api import Feature
    >>> value_text(Feature(kind="numeric", unit="EUR"), 12500.0)
    '12,500 EUR'
    >>> value_text(Feature(kind="flag"), 1.0), value_text(Feature(kind="category"), None)
    ('yes', 'not known')
    """
    if value is None or value != value:  # noqa: PLR0124  # NaN alone differs from itself
        return UNKNOWN
    if feature.kind == "flag":
        return "yes" if value else "no"
    if feature.kind == "category":
        return str(value)
    return f"{value:,.6g} {feature.unit}".strip()
