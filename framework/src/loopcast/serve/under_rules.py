"""What a ranking tells its rules, and what becomes of the lists: rows, actions, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from loopcast.serve.hidden import Subject
from loopcast.serve.lookup import NEWCOMER
from loopcast.serve.ruled import rule_lists

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from loopcast.api import RankData, Ranking, RankQuery
    from loopcast.deploy.rank_bundle import Names
    from loopcast.serve.rules import RuleBook

RULES_FILE = "rules.parquet"
"""Of everything that rules did to lists, where they did something."""

ADJUSTED, NOTHING = "adjusted", "nothing"
"""Actions of the event log: rules changed a list, or left nothing of it."""

NO_EFFECTS = pd.DataFrame(
    {
        "row": pd.Series(dtype=np.int64),
        "item": pd.Series(dtype="str"),
        "place": pd.Series(dtype=np.int16),
        "rule": pd.Series(dtype="str"),
        "effect": pd.Series(dtype="str"),
    }
)


def subject(book: RuleBook, data: RankData, names: Names, wanted: NDArray[np.intp]) -> Subject:
    """Describe some entities, and the items of a model with those that are pinned besides."""
    pinned = pd.Index(book.that("pin")["item"].unique(), dtype="str")
    trained = pd.Index(names.items, dtype="str")
    items = trained.append(pinned[trained.get_indexer(pinned) < 0])
    place = np.full(len(data.entities), -1, dtype=np.intp)
    place[wanted] = np.arange(len(wanted))
    row, item = place[data.entity], items.get_indexer(data.items)[data.item]
    known = (row >= 0) & (item >= 0)
    features = pd.DataFrame() if data.item_features is None else data.item_features
    return Subject(
        entities=data.entities[wanted],
        entity_features=_entity_features(data, wanted),
        items=items,
        features=features.reindex(items),
        row=row[known],
        item=item[known],
        ago=((data.time[-1] - data.time[known]) / np.timedelta64(1, "D")).astype(np.float64),
    )


def _entity_features(data: RankData, wanted: NDArray[np.intp]) -> pd.DataFrame:
    """Return what is known of some entities; of those that are yet to come, nothing is."""
    entities, features = data.entities[wanted], data.entity_features
    if features is None:
        return pd.DataFrame(index=entities)
    found = features.iloc[wanted].astype("str")
    found.loc[entities == NEWCOMER] = np.nan
    return found


def places_under_rules(
    book: RuleBook, query: RankQuery, about: Subject, ask: Callable[[RankQuery], Ranking]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a row for each filled place, and one for each effect of a rule.

    Returns
    -------
    places : DataFrame
        Columns row, place, item, score, rule (that put it there) and place_without_rules (0 for
        none).
    effects : DataFrame
        Columns row, item, place (without rules), rule and effect.
    """
    found = rule_lists(book, query, about, ask)
    row, column = np.nonzero(found.items >= 0)
    name = book.table["rule"]
    places = pd.DataFrame(
        {
            "row": row,
            "place": column.astype(np.int16) + 1,
            "item": about.items[found.items[row, column]],
            "score": found.scores[row, column],
            "rule": name.reindex(found.rules[row, column]).to_numpy(),
            "place_without_rules": found.before[row, column].astype(np.int16),
        }
    ).astype({"rule": "str"})
    effects = found.effects
    return places, effects.assign(
        item=about.items[effects["item"]],
        place=effects["place"].astype(np.int16),
        rule=name.loc[effects["rule"]].to_numpy(),
    )


def ruled_actions(actions: pa.Array, listed: NDArray[np.intp], effects: pd.DataFrame) -> pa.Array:
    """Return what the event log says was done with each row.

    Parameters
    ----------
    listed
        Rows that have a place, each as often as it has one.
    """
    if effects.empty:
        return actions
    found = np.array(actions.to_pylist(), dtype=object)
    found[effects["row"].unique()] = ADJUSTED
    found[np.setdiff1d(effects["row"], listed)] = NOTHING
    return pa.array(found, actions.type)


def about_rules(effects: pd.DataFrame) -> dict[str, Any]:
    """Return how often each rule did what, ready for JSON; nothing where none did anything."""
    if effects.empty:
        return {}
    return {"rules": _nested(effects.groupby(["rule", "effect"]).size())}


def _nested(counts: pd.Series[int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (rule, effect), count in zip(counts.index.tolist(), counts.tolist(), strict=True):
        found.setdefault(rule, {})[effect] = count
    return found


def total_rules(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up what :func:`about_rules` says of many segments."""
    rows = [
        (rule, effect, count)
        for part in parts
        for rule, effects in part.get("rules", {}).items()
        for effect, count in effects.items()
    ]
    table = pd.DataFrame(rows, columns=["rule", "effect", "count"])
    counts = table.groupby(["rule", "effect"])["count"].sum()
    return {"rules": _nested(counts)} if rows else {}


def rules_line(total: Mapping[str, Any]) -> str:
    """Say in one line what rules did; empty where they did nothing."""
    return "; ".join(
        f"{rule}: " + ", ".join(f"{count:,} {effect}" for effect, count in effects.items())
        for rule, effects in total.get("rules", {}).items()
    )
