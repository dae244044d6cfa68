"""Reasons with scores: for each answer, what counted most against the person, by its version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.deploy.score_bundle import read_scenario
from loopcast.develop.explain.contributions import contributions_of
from loopcast.develop.explain.reasons import reason_places, reason_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Contributions, Feature, LogicalModel
    from loopcast.serve.answers import Responsible


@dataclass(frozen=True, eq=False, kw_only=True)
class Explained:
    """Why rows were scored as they were.

    Attributes
    ----------
    columns : DataFrame, shape (rows, most)
        Reasons in words, ``reason_1`` and so on; without columns where none are asked for.
    added : mapping of str to ndarray, shape (rows,)
        What each part adds to the log-odds; NaN where the row's version has no such part.
    """

    columns: pd.DataFrame
    added: Mapping[str, NDArray[np.float64]]


def explained(
    model: LogicalModel,
    known: Mapping[str, Feature],
    responsible: Responsible,
    features: pd.DataFrame,
    versions: NDArray[np.str_],
    *,
    answered: NDArray[np.bool_],
) -> Explained:
    """Explain rows by the version that answers for each.

    Parameters
    ----------
    known
        The features of the schema, by name.
    features : DataFrame, shape (rows, features)
    versions : ndarray, shape (rows,)
    answered : ndarray, shape (rows,)
        Which rows the versions have answered; the others have no reasons.

    Raises
    ------
    ConfigurationError
        Where reasons are asked for, the version does not know its contributions, and the package
        that computes Shapley values is not installed.
    """
    most, favourable = model.reasons.most, model.decision.favourable
    if not most:
        return Explained(columns=pd.DataFrame(index=features.index), added={})
    texts = np.full((len(features), most), None, object)
    added: dict[str, NDArray[np.float64]] = {}
    for version in np.unique(versions):
        own = np.flatnonzero((versions == version) & answered)
        if not len(own):
            continue
        rows = features.iloc[own]
        found = _contributions(responsible, version, rows)
        places = reason_places(found, most, favourable)
        texts[own] = reason_texts(places, found.parts, rows, known)
        for part, values in zip(found.parts, found.added.T, strict=True):
            added.setdefault(part, np.full(len(features), np.nan))[own] = values
    names = [f"reason_{number + 1}" for number in range(most)]
    return Explained(columns=pd.DataFrame(texts, features.index, names), added=added)


def _contributions(responsible: Responsible, version: str, rows: pd.DataFrame) -> Contributions:
    opened = responsible.opened[version]
    background, _ = read_scenario(opened.files)
    return contributions_of(opened.model, rows, background)
