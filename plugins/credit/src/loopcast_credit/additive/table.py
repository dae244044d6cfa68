"""The scorecard as a table that a person reads and signs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from typing import NamedTuple

from loopcast_credit.additive.card import Card, Effect


class Line(NamedTuple):
    """A bin as people read it.

    Attributes
    ----------
    share, rate
        Share of the training rows, and of the event among them; NaN where there were none.
    woe
        Weight of evidence: logarithm of the bin's odds of the event over those of all rows.
    information
        What the bin adds to the characteristic's information value.
    points
        What the bin gives; the card's base is spread over the characteristics evenly.
    """

    characteristic: str
    bin: str
    share: float
    rate: float
    woe: float
    information: float
    log_odds: float
    slope: float
    points: float


def card_lines(card: Card) -> Iterator[Line]:
    """Yield a line for each bin of each characteristic.

    The points of a row's bins add up to its score, save where a slope multiplies the number.
    """
    base = card.scale.offset - card.scale.factor * card.intercept
    for effect in card.effects:
        evidence = _evidence(effect)
        for place, label in enumerate(effect.bins.labels()):
            share, rate, woe, information = evidence[place]
            slope = effect.slopes[place] if place < len(effect.slopes) else 0.0
            points = base / len(card.effects) - card.scale.factor * effect.values[place]
            yield Line(
                effect.bins.name,
                label,
                share,
                rate,
                woe,
                information,
                effect.values[place],
                slope,
                points,
            )


def _evidence(effect: Effect) -> list[tuple[float, float, float, float]]:
    """Return share, event rate, weight of evidence and information value of each bin.

    Half an event and half a non-event are added to bins that have none.
    """
    rows, events = sum(effect.rows), sum(effect.events)
    found = []
    for n, bad in zip(effect.rows or [0.0] * effect.bins.size, effect.events, strict=False):
        if not n:
            found.append((0.0, math.nan, math.nan, 0.0))
            continue
        half = 0.5 if bad in (0.0, n) else 0.0
        bad_share, good_share = (bad + half) / events, (n - bad + half) / (rows - events)
        woe = math.log(bad_share / good_share)
        found.append((n / rows, bad / n, woe, (bad_share - good_share) * woe))
    return found or [(math.nan, math.nan, math.nan, math.nan)] * effect.bins.size


def card_csv(card: Card) -> str:
    """Return the table as CSV, numbers in full."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Line._fields)
    writer.writerows(
        ["" if isinstance(x, float) and math.isnan(x) else x for x in line]
        for line in card_lines(card)
    )
    return text.getvalue()


def card_markdown(card: Card) -> str:
    """Return the table as Markdown, rounded, with the strongest characteristic first."""
    lines = list(card_lines(card))
    strength = {
        effect.bins.name: sum(row[3] for row in _evidence(effect)) for effect in card.effects
    }
    ranked = sorted(strength, key=lambda name: -_number(strength[name]))
    text = [
        f"# Scorecard: points against {card.event}",
        "",
        f"{card.scale.base:g} points are odds of {card.scale.odds:g} to 1 against the event; "
        f"{card.scale.double:g} points more double them.",
    ]
    for name in ranked:
        text += ["", f"## {name} (information value {strength[name]:.3f})", ""]
        text += _markdown_table([line for line in lines if line.characteristic == name])
    return "\n".join(text) + "\n"


def _number(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _markdown_table(lines: list[Line]) -> list[str]:
    slopes = any(line.slope for line in lines)
    head = "| bin | share | event rate | weight of evidence | points |"
    rule = "|---|---:|---:|---:|---:|"
    rows = [
        f"| {_escaped(line.bin)} | {line.share:.1%} | {_rate(line.rate)} | "
        f"{_shown(line.woe)} | {line.points:.1f} |"
        for line in lines
    ]
    if slopes:
        head, rule = f"{head} log-odds for each unit |", f"{rule}---:|"
        rows = [f"{row} {line.slope:.6g} |" for row, line in zip(rows, lines, strict=True)]
    return [head, rule, *rows]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _rate(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1%}"


def _shown(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
