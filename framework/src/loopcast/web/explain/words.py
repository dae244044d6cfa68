"""What explanations say in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopcast.api import Feature
from loopcast.develop.explain.reasons import value_text
from loopcast.serve.treatment import WORDS
from loopcast.web import formats

if TYPE_CHECKING:
    from loopcast.deploy.explained import ExplainedRow
    from loopcast.develop.explain.whatif import WhatIf

_PLAIN = Feature(kind="category")


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one part adds to one row."""

    title: str
    value: str
    added: float


def title_of(name: str, features: Mapping[str, Feature]) -> str:
    """Return what people call a feature, or another part of a scorer."""
    return features.get(name, _PLAIN).title or name


def parts_of(one: ExplainedRow, features: Mapping[str, Feature]) -> Sequence[Part]:
    """Return what each part adds to a row, the largest first."""
    found = one.contributions
    parts = [
        Part(
            title=title_of(name, features),
            value=value_text(features[name], one.row[name].iloc[0]) if name in features else "",
            added=float(added),
        )
        for name, added in zip(found.parts, found.added[0], strict=True)
    ]
    return sorted(parts, key=lambda part: -abs(part.added))


def outcome_text(one: ExplainedRow) -> str:
    """Return the score of a row and its decision, and whether the version is not to give them."""
    side = "in favour" if one.granted else "against"
    cutoff = formats.percent(one.decision.cutoff)
    found = f"probability {formats.percent(one.probability)}, {side} (cut-off {cutoff})"
    if not one.beyond or one.action == "served":
        return found
    if one.action == "flagged":
        return f"{found}; flagged: {one.beyond}"
    return f"{WORDS[one.action]}: {one.beyond}; nobody is told what the version would say: {found}"


def change_text(found: WhatIf, features: Mapping[str, Feature]) -> str:
    """Return changes that flip a decision, and the probability that they lead to."""
    changes = " and ".join(
        f"{title_of(change.feature, features)} from "
        f"{value_text(features[change.feature], change.before)} to "
        f"{value_text(features[change.feature], change.after)}"
        for change in found.changes
    )
    return f"{changes}: probability {formats.percent(found.probability)}"
