"""Explanations of a version: of its scores overall, and of one row that someone asks about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import (
    ConfigurationError,
    Contributions,
    ExplainedScorer,
    ModelError,
    NotFoundError,
    ScoreSchema,
)
from loopcast.deploy.limits import read_domain
from loopcast.deploy.production import features_of
from loopcast.deploy.score_bundle import read_scenario
from loopcast.develop.applicability import beyond
from loopcast.develop.decision import Decision
from loopcast.develop.explain.contributions import contributions_of
from loopcast.develop.explain.dependence import Dependence, dependences
from loopcast.develop.explain.reasons import reason_places
from loopcast.develop.explain.whatif import WhatIf, nearest_changes
from loopcast.develop.probing import Probed, probe
from loopcast.develop.score.finished import parts_of
from loopcast.develop.score.inputs import columns_of
from loopcast.store.recording import keyed

if TYPE_CHECKING:
    import pyarrow as pa

    from loopcast.api import Action, Version
    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.store.home import Home

MOST_SAMPLED = 40
"""Rows whose Shapley values are sampled, where the scorer does not know its contributions."""


@dataclass(frozen=True, kw_only=True)
class PartSummary:
    """What a part of a scorer does over typical rows.

    Attributes
    ----------
    size
        Mean distance by which it moves the log-odds.
    first
        Share of rows in which it is the first reason against the person.
    """

    part: str
    size: float
    first: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Explained:
    """What a score's version does, over the rows of its test scenario.

    Attributes
    ----------
    rows
        Their number.
    parts
        By falling size; empty where contributions cannot be known.
    method
        How contributions were found, or why they were not.
    dependences
        Of every feature that varies.
    probed
        How far small changes of the inputs move the scores.
    decision
        By which changes of a decision are counted.
    """

    schema: ScoreSchema
    rows: int
    parts: tuple[PartSummary, ...]
    method: str
    dependences: tuple[Dependence, ...]
    probed: Probed
    decision: Decision


@dataclass(frozen=True, eq=False, kw_only=True)
class ExplainedRow:
    """Why one row is scored as it is.

    Attributes
    ----------
    row : DataFrame, shape (1, features)
    action
        What is done with it by the domain of the version: where that is neither ``served`` nor
        ``flagged``, nobody is told this score.
    beyond
        Why it is beyond the domain; empty where it is not.
    whatif
        The nearest changes that flip its decision; ``None`` where nobody asked.
    """

    row: pd.DataFrame
    probability: float
    granted: bool
    contributions: Contributions
    decision: Decision
    action: Action = "served"
    beyond: str = ""
    whatif: tuple[WhatIf, ...] | None = None


def explain_version(loaded: LoadedVersion, decision: Decision) -> Explained:
    """Explain a version from what its bundle holds.

    Raises
    ------
    ModelError
        Where it is no score.
    """
    schema, rows = _scores(loaded), read_scenario(loaded.bundle.files)[0]
    parts, method = _parts(loaded, rows)
    predict = probability_of(loaded)
    return Explained(
        schema=schema,
        rows=len(rows),
        parts=parts,
        method=method,
        dependences=tuple(dependences(predict, rows, schema)),
        probed=probe(predict, rows, schema),
        decision=decision,
    )


def _scores(loaded: LoadedVersion) -> ScoreSchema:
    if not isinstance(loaded.schema, ScoreSchema):
        raise ModelError(
            f"{loaded.logical_model.name} is of the task {loaded.logical_model.task}, and reasons, "
            "curves and what-if are of scores; see what a forecast learned in its dossier"
        )
    return loaded.schema


def probability_of(loaded: LoadedVersion) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """Return the function from rows to probabilities of a score's version."""
    model = loaded.model
    return lambda rows: np.asarray(model.predict(rows).probability, np.float64)


def _parts(loaded: LoadedVersion, rows: pd.DataFrame) -> tuple[tuple[PartSummary, ...], str]:
    asked = rows
    if not isinstance(parts_of(loaded.model)[0], ExplainedScorer):
        step = -(-len(rows) // MOST_SAMPLED)
        asked = rows.iloc[::step]
    try:
        found = contributions_of(loaded.model, asked, rows, loaded.manifest.seed)
    except ConfigurationError as error:
        return (), f"Contributions are not known: {error}."
    first = reason_places(found, 1, loaded.logical_model.decision.favourable)[:, 0]
    parts = [
        PartSummary(
            part=part,
            size=float(np.abs(values).mean()),
            first=float((first == place).mean()),
        )
        for place, (part, values) in enumerate(zip(found.parts, found.added.T, strict=True))
    ]
    return tuple(sorted(parts, key=lambda one: -one.size)), found.method


def explain_rows(
    loaded: LoadedVersion, rows: pd.DataFrame, decision: Decision, *, whatif: bool
) -> list[ExplainedRow]:
    """Explain each of some rows.

    Parameters
    ----------
    rows : DataFrame, shape (rows, features)
        Used features, indexed by key.
    whatif
        Whether to look for the nearest changes that flip each decision.

    Raises
    ------
    ModelError
        Where the version is no score.
    ConfigurationError
        Where contributions cannot be known, or no feature can be changed.
    """
    schema, typical = _scores(loaded), read_scenario(loaded.bundle.files)[0]
    predict = probability_of(loaded)
    probability = predict(rows)
    granted = decision.granted(probability)
    found = contributions_of(loaded.model, rows, typical, loaded.manifest.seed)
    explained = []
    for place, (action, beyond_by) in enumerate(_treated(loaded, rows)):
        row = rows.iloc[[place]]
        explained.append(
            ExplainedRow(
                row=row,
                probability=float(probability[place]),
                granted=bool(granted[place]),
                contributions=Contributions(
                    parts=found.parts,
                    base=found.base,
                    added=found.added[place : place + 1],
                    method=found.method,
                ),
                decision=decision,
                action=action,
                beyond=beyond_by,
                whatif=tuple(nearest_changes(predict, row, typical, schema, decision))
                if whatif
                else None,
            )
        )
    return explained


def _treated(loaded: LoadedVersion, rows: pd.DataFrame) -> list[tuple[Action, str]]:
    """Return what is done with each row by the domain of the version, and why."""
    domain, rules = read_domain(loaded.bundle.files), loaded.logical_model.applicability
    if domain is None:
        return [("served", "")] * len(rows)
    return [
        (rules.action(outside=r.outside, novel=r.novel), r.text) if r else ("served", "")
        for r in beyond(domain, columns_of(rows), rules.share).rows()
    ]


def row_of(home: Home, loaded: LoadedVersion, key: str) -> pd.DataFrame:
    """Return the inputs of one row by its key: as it was asked last, or of the test scenario.

    Returns
    -------
    DataFrame, shape (1, features)

    Raises
    ------
    NotFoundError
        Where neither the event log nor the scenario has the key.
    """
    schema, version = _scores(loaded), loaded.version
    asked = _asked_last(home, version, key, private=schema.private_key)
    if asked.num_rows:
        return features_of(asked, schema)
    scenario, _ = read_scenario(loaded.bundle.files)
    if key in scenario.index:
        return scenario.loc[[key]]
    raise NotFoundError(
        f"no event of {version.logical_model} has the key {key!r}, and neither has the version's "
        "test scenario; give the row in a file: --file ROWS.csv"
    )


def _asked_last(home: Home, version: Version, key: str, *, private: bool) -> pa.Table:
    """Return the newest event of a key, or none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    events = home.events.read(
        version.logical_model,
        segment=version.segment,
        columns=["key", "time", "inputs", "input_texts"],
    )
    if not events.num_rows:
        return events
    logged = keyed(pa.array([key]), "key", home.privacy_key)[0].as_py() if private else key
    own = events.filter(pc.equal(events["key"], logged))
    return own.sort_by([("time", "descending")]).slice(0, 1)
