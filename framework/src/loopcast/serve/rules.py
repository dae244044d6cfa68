"""A table of rules over ranked lists: read, checked, and cut into what each segment has of it.

A rule is a row. It has a name (``rule``), by which its effects are counted, and does one thing:

``hide``
    Never this ``item``, or items whose ``feature`` has this ``value``.
``again``
    Not what was chosen in the last ``number`` days before the last choice of all; ever, where
    there is no number.
``pin``
    This ``item`` at the place ``number``, which training need not have seen.
``at_most``
    No more than ``number`` items of one list have the same ``feature``; only of this ``value``,
    where there is one.
``at_least``
    Nothing whose score, times its ``feature`` (a price, a margin) where there is one, is below
    ``number``.

With an ``entity`` it holds for that one alone, with an ``entity_feature`` for those whose value is
the ``entity_value``, with a ``segment`` in that one alone. Of an entity whose value nobody knows,
what is not for that value is hidden too: it may not be eligible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api import DataError, Feature, RankSchema
from loopcast.develop.columns import Columns, texts
from loopcast.develop.rank.prepare import SEPARATORS
from loopcast.settings import convert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from loopcast.plugins import PluginManager
    from loopcast.settings import RuleSettings

REQUIRED = ("rule", "does")
_OF_RULE = ("entity", "entity_feature", "entity_value", "item", "feature", "value")
TEXTS = ("segment", "rule", "does", *_OF_RULE)
DOES = ("hide", "again", "pin", "at_most", "at_least")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule, without its name.

    Attributes
    ----------
    position
        In the table.
    number
        NaN where there is none.
    """

    position: int
    does: str
    entity: str | None
    entity_feature: str | None
    entity_value: str | None
    item: str | None
    feature: str | None
    value: str | None
    number: float

    def rows(self, entities: pd.Index, features: pd.DataFrame) -> NDArray[np.bool_]:
        """Return for which entities it holds, shape (entities,).

        Parameters
        ----------
        features
            Of the entities, indexed like them; missing where nobody knows.
        """
        if self.entity is not None:
            return np.asarray(entities == self.entity)
        if self.entity_feature is None:
            return np.ones(len(entities), dtype=bool)
        values = features[self.entity_feature]
        holds = (values.astype("str") == self.entity_value).to_numpy(bool)
        return holds | values.isna().to_numpy() if self.does == "hide" else holds


@dataclass(frozen=True, eq=False)
class RuleBook:
    """The rules of all segments.

    Attributes
    ----------
    table : DataFrame
        Columns of text and ``number``, missing where a row has none; in the order of the file.
    source
        Where it came from, for messages.
    """

    table: pd.DataFrame
    source: str

    def of(self, segment: str) -> RuleBook:
        """Return the rules that hold in a segment, and no row of another."""
        owner = self.table["segment"]
        return RuleBook(self.table[(owner == segment) | owner.isna()], self.source)

    def that(self, *does: str) -> pd.DataFrame:
        """Return the rules that do one of these things."""
        return self.table[self.table["does"].isin(does)]

    def for_some(self, rows: pd.DataFrame) -> pd.Series[bool]:
        """Tell which of some rules hold for some entities alone."""
        return rows["entity"].notna() | rows["entity_feature"].notna()

    def each(self, rows: pd.DataFrame) -> Iterator[Rule]:
        """Yield some of the rules, in the order of the table."""
        for position, row in zip(rows.index, rows.to_dict("records"), strict=True):
            texts_of = {name: _text(row[name]) for name in _OF_RULE}
            yield Rule(position=position, does=row["does"], number=row["number"], **texts_of)

    def check(self, schema: RankSchema) -> None:
        """Check each rule.

        Raises
        ------
        DataError
            Naming the first row that is no rule, and what would be right.
        """
        for does, wrong, problem in _problems(self.table, schema):
            bad = wrong & (self.table["does"] == does) if does else wrong
            if bad.any():
                row = int(self.table.index[bad][0])
                name = self.table.loc[row, "rule"]
                raise DataError(f"{self.source}: row {row + 1}: rule {name!r} {problem}")


def read_rules(table: pd.DataFrame, source: str) -> RuleBook:
    """Check the columns of a table of rules; what its rows say is checked by segment.

    Raises
    ------
    DataError
        Where a column is unknown or absent, or a number is none.
    """
    unknown = sorted(set(map(str, table.columns)) - {*TEXTS, "number"})
    if unknown:
        raise DataError(
            f"{source}: unknown column {unknown[0]!r}; rules have the columns "
            f"{', '.join([*TEXTS, 'number'])}"
        )
    columns = Columns(table, source)
    if len(table):
        columns.require(REQUIRED)
        columns.known("rule")
    found = {
        name: texts(table[name]) if name in table else pd.Series(pd.NA, table.index, dtype="str")
        for name in TEXTS
    }
    number = columns.numbers("number") if "number" in table else np.full(len(table), np.nan)
    return RuleBook(pd.DataFrame(found).assign(number=number).reset_index(drop=True), source)


def current_rules(settings: RuleSettings, plugins: PluginManager, base: Path) -> RuleBook:
    """Read the table of rules that settings name, as it is now.

    Parameters
    ----------
    base
        Folder that relative paths start from.

    Raises
    ------
    DataError
        Where the table cannot be read, or as :func:`read_rules` does.
    """
    reader = plugins.reader(settings.reader)
    options = convert(settings.options, reader.options, "rules.options")
    return read_rules(reader.read(options, base), reader.describe(options))


def _problems(rules: pd.DataFrame, schema: RankSchema) -> list[tuple[str, pd.Series[bool], str]]:
    """Return what may be wrong, with the rows where it is; of rules that do one thing, or any."""
    absent = rules.isna()
    number, whole = rules["number"], rules["number"] % 1 == 0
    numeric = rules["feature"].isin(_named(schema.item_features, numeric=True))
    category = rules["feature"].isin(_named(schema.item_features, numeric=False))
    known = ", ".join(schema.item_features) or "none"
    needed = f"needs a feature of items that is a category; the schema's are: {known}"
    worth = f"has a feature that is no number of items; the schema's are: {known}"
    place = f"needs a number: a place from 1 to {schema.length}"
    group, groups = rules["entity_feature"], _named(schema.entity_features, numeric=False)
    parts = rules["item"].str.contains(f"[{SEPARATORS}]", na=False)
    kinds = f"has no category of entities; the schema's are: {', '.join(groups) or 'none'}"
    return [
        ("", ~rules["does"].isin(DOES), f"does none of {', '.join(DOES)}"),
        ("", ~absent["entity_feature"] & ~group.isin(groups), kinds),
        (
            "",
            absent["entity_feature"] != absent["entity_value"],
            "needs an entity_value of its entity_feature",
        ),
        (
            "",
            ~absent["entity_feature"] & ~absent["entity"],
            "has an entity and an entity_feature; it holds for one of them",
        ),
        ("hide", absent["item"] == absent["feature"], "needs an item or a feature, and not both"),
        ("hide", ~absent["feature"] & absent["value"], "needs a value of its feature"),
        ("hide", ~absent["feature"] & ~category, needed),
        ("again", ~absent["number"] & (number < 0), "has a negative number of days"),
        ("pin", absent["item"], "needs an item"),
        ("pin", parts, "has a line break or a record separator in the name of its item"),
        ("pin", ~(whole & number.between(1, schema.length)), place),
        ("at_most", ~category, needed),
        ("at_most", ~(whole & (number >= 0)), "needs a whole number of items, 0 or more"),
        ("at_least", absent["number"], "needs a number"),
        ("at_least", ~absent["feature"] & ~numeric, worth),
    ]


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


def _named(features: Mapping[str, Feature], *, numeric: bool) -> list[str]:
    return [name for name, own in features.items() if (own.kind != "category") == numeric]
