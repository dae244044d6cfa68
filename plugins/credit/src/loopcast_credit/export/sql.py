"""Models as one SELECT of plain SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loopcast_credit.additive.card import Card, Effect
from loopcast_credit.bins.bins import NumericBins
from loopcast_credit.boost.encode import Input
from loopcast_credit.boost.trees import Split, Tree

GROUP = 40
"""Terms that are added up in one bracket: databases limit how deep an expression may be."""


def card_sql(card: Card, table: str, key: str) -> str:
    """Return a card as a SELECT of its key, log-odds and probability."""
    terms = [number(card.intercept), *(_effect(effect) for effect in card.effects)]
    return _select(terms, _name(table), key)


def trees_sql(inputs: Sequence[Input], trees: Sequence[Tree], table: str, key: str) -> str:
    """Return trees as a SELECT of their key, log-odds and probability."""
    names = [_name(one.name) for one in inputs]
    columns = [f"{_input(one)} AS {_name(one.name)}" for one in inputs]
    rows = f"(SELECT {', '.join([_name(key), *columns])} FROM {_name(table)}) AS encoded"
    return _select([_tree(tree, names) for tree in trees], rows, key)


def _select(terms: Sequence[str], rows: str, key: str) -> str:
    # Some databases take literals for decimals and would add them up as such.
    doubles = [f"CAST({term} AS DOUBLE PRECISION)" for term in terms]
    brackets = ["(" + "\n + ".join(group) + ")" for group in _groups(doubles)]
    total = "\n + ".join(brackets)
    return (
        f"SELECT {_name(key)}, log_odds, 1.0 / (1.0 + EXP(-log_odds)) AS probability\n"
        f"FROM (SELECT {_name(key)},\n{total} AS log_odds\nFROM {rows}) AS scored\n"
    )


def _groups(terms: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(terms), GROUP):
        yield terms[start : start + GROUP]


def _effect(effect: Effect) -> str:
    name, values = _name(effect.bins.name), [number(value) for value in effect.values]
    if isinstance(effect.bins, NumericBins):
        return _case(_number_cases(effect.bins, effect, name, values), values[effect.bins.body - 1])
    body = effect.bins.body
    cases = [(f"{name} IS NULL", values[body])]
    for group, value in zip(effect.bins.groups, values[:body], strict=True):
        cases.append((f"{name} IN ({', '.join(map(text, group))})", value))
    return _case(cases, values[body + 1])


def _number_cases(
    bins: NumericBins, effect: Effect, name: str, values: list[str]
) -> list[tuple[str, str]]:
    """Return conditions and values of all bins but the highest interval, whose value changes."""
    for at, slope in enumerate(effect.slopes):
        if slope:
            values[at] = f"{values[at]} + {number(slope)} * {name}"
    cases = [(f"{name} IS NULL", values[-1])]
    for place, special in enumerate(bins.specials):
        cases.append((f"{name} = {number(special)}", values[bins.body + place]))
    for cut, value in zip(bins.cuts, values, strict=False):
        cases.append((f"{name} < {number(cut)}", value))
    return cases


def _case(cases: Sequence[tuple[str, str]], otherwise: str) -> str:
    whens = " ".join(f"WHEN {condition} THEN {value}" for condition, value in cases)
    return f"CASE {whens} ELSE {otherwise} END"


def _input(one: Input) -> str:
    """Return the number that trees split."""
    fill = "NULL" if one.fill is None else number(one.fill)
    if one.categories is None:
        return f"COALESCE({_name(one.name)}, {fill})" if one.fill is not None else _name(one.name)
    ranks = [
        (f"{_name(one.name)} = {text(name)}", number(float(at)))
        for at, name in enumerate(one.categories)
    ]
    return _case(ranks, fill) if ranks else fill


def _tree(tree: Tree, names: Sequence[str]) -> str:
    if not isinstance(tree, Split):
        return number(tree)
    name = names[tree.feature]
    condition = f"{name} <= {number(tree.threshold)}"
    if tree.missing_left:
        condition = f"{name} IS NULL OR {condition}"
    return _case([(condition, _tree(tree.left, names))], _tree(tree.right, names))


def number(value: float) -> str:
    """Return a number that is read back exactly, as a double and never as a decimal."""
    return repr(value) if "e" in repr(value) else f"{value!r}e0"


def text(value: str) -> str:
    """Return a string of SQL."""
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
