"""Models as one translation unit of C99."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from loopcast.api import CSource
from loopcast_credit.additive.card import Card, Effect
from loopcast_credit.bins.bins import CategoryBins, NumericBins
from loopcast_credit.boost.encode import Input
from loopcast_credit.boost.trees import Split, Tree

HEAD = """\
/* Probability of the event by a model of loopcast.

   numbers: {numbers}
   texts: {texts}

   A missing number is NAN, a missing text is NULL. */

#include <math.h>
#include <stddef.h>
#include <string.h>

"""

TAIL = """\

void loopcast_scores(long rows, const double *numbers, const char *const *texts,
                     double *probabilities) {{
    for (long row = 0; row < rows; row++) {{
        probabilities[row] = loopcast_score(numbers + row * {numbers}, texts + row * {texts});
    }}
}}
"""


def card_c(card: Card) -> CSource:
    """Return a card in C."""
    numbers = [e.bins.name for e in card.effects if isinstance(e.bins, NumericBins)]
    texts = [e.bins.name for e in card.effects if isinstance(e.bins, CategoryBins)]
    functions, sums = [], []
    for at, effect in enumerate(card.effects):
        if isinstance(effect.bins, NumericBins):
            functions.append(_number(at, effect.bins, effect))
            argument = f"numbers[{numbers.index(effect.bins.name)}]"
        else:
            values = [*effect.values[: effect.bins.body]]
            pairs = list(zip(effect.bins.groups, values, strict=True))
            functions.append(_text(at, effect.bins.name, pairs, effect.values[-2:]))
            argument = f"texts[{texts.index(effect.bins.name)}]"
        sums.append(f"    log_odds += effect{at}({argument});")
    body = [f"    double log_odds = {number(card.intercept)};", *sums]
    return _source(functions, body, numbers, texts)


def trees_c(inputs: Sequence[Input], trees: Sequence[Tree]) -> CSource:
    """Return trees in C."""
    numbers = [one.name for one in inputs if one.categories is None]
    texts = [one.name for one in inputs if one.categories is not None]
    functions, body = [], [f"    double x[{len(inputs)}];"]
    for at, one in enumerate(inputs):
        fill = "NAN" if one.fill is None else number(one.fill)
        if one.categories is None:
            body.append(f"    x[{at}] = numbers[{numbers.index(one.name)}];")
        else:
            pairs = [((name,), float(rank)) for rank, name in enumerate(one.categories)]
            functions.append(_text(at, one.name, pairs, (float("nan"), float("nan"))))
            body.append(f"    x[{at}] = effect{at}(texts[{texts.index(one.name)}]);")
        if one.fill is not None:
            body.append(f"    if (isnan(x[{at}])) x[{at}] = {fill};")
    functions += [_tree_function(at, tree) for at, tree in enumerate(trees)]
    body += ["    double log_odds = 0.0;"]
    body += [f"    log_odds += tree{at}(x);" for at in range(len(trees))]
    return _source(functions, body, numbers, texts)


def _source(
    functions: Sequence[str], body: Sequence[str], numbers: Sequence[str], texts: Sequence[str]
) -> CSource:
    listed = {"numbers": _listed(numbers), "texts": _listed(texts)}
    score = [
        "double loopcast_score(const double *numbers, const char *const *texts) {",
        "    (void)numbers;",
        "    (void)texts;",
        *body,
        "    return 1.0 / (1.0 + exp(-log_odds));",
        "}",
    ]
    tail = TAIL.format(numbers=len(numbers), texts=len(texts))
    whole = [HEAD.format(**listed) + "\n\n".join(functions), "\n".join(score) + "\n" + tail]
    return CSource(text="\n\n".join(whole), numbers=tuple(numbers), texts=tuple(texts))


def _number(at: int, bins: NumericBins, effect: Effect) -> str:
    """Return a function from a number to what it adds."""
    values = [number(value) for value in effect.values]
    for place, slope in enumerate(effect.slopes):
        if slope:
            values[place] = f"{values[place]} + {number(slope)} * x"
    lines = [f"static double effect{at}(double x) {{ /* {_comment(bins.name)} */"]
    lines.append(f"    if (isnan(x)) return {values[-1]};")
    for place, special in enumerate(bins.specials):
        lines.append(f"    if (x == {number(special)}) return {values[bins.body + place]};")
    for cut, value in zip(bins.cuts, values, strict=False):
        lines.append(f"    if (x < {number(cut)}) return {value};")
    return "\n".join([*lines, f"    return {values[bins.body - 1]};", "}"])


def _text(
    at: int,
    name: str,
    pairs: Sequence[tuple[Sequence[str], float]],
    missing_other: Sequence[float],
) -> str:
    """Return a function from a text to a number; the last two are of a missing and another one."""
    lines = [f"static double effect{at}(const char *x) {{ /* {_comment(name)} */"]
    lines.append(f"    if (x == NULL) return {number(missing_other[0])};")
    for group, value in pairs:
        lines += [
            f"    if (strcmp(x, {_string(one)}) == 0) return {number(value)};" for one in group
        ]
    return "\n".join([*lines, f"    return {number(missing_other[1])};", "}"])


def _tree_function(at: int, tree: Tree) -> str:
    head = f"static double tree{at}(const double *x) {{\n    (void)x;\n"
    return f"{head}    return {_tree(tree)};\n}}"


def _tree(tree: Tree) -> str:
    if not isinstance(tree, Split):
        return number(tree)
    name = f"x[{tree.feature}]"
    # A comparison with NAN is false.
    low = f"{name} <= {number(tree.threshold)}"
    condition = f"!({name} > {number(tree.threshold)})" if tree.missing_left else low
    return f"({condition} ? {_tree(tree.left)} : {_tree(tree.right)})"


def number(value: float) -> str:
    """Return a number that is read back exactly."""
    return "NAN" if math.isnan(value) else repr(value)


def _string(value: str) -> str:
    """Return a string of C: every byte that is no plain character is escaped in octal."""
    plain = (
        chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in value.encode()
    )
    return '"' + "".join(plain) + '"'


def _comment(value: str) -> str:
    return value.replace("*/", "* /").replace("\\", "/").replace("\n", " ")


def _listed(names: Sequence[str]) -> str:
    return _comment(", ".join(json.dumps(name, ensure_ascii=False) for name in names)) or "none"
