"""The page of explanations as one self-contained file; the dossier shows its parts too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopcast.web.explain import figures, tables, words
from loopcast.web.page import Figure, Table, render_page

if TYPE_CHECKING:
    from loopcast.deploy.explained import Explained, ExplainedRow
    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.develop.explain.importance import Importance


@dataclass(frozen=True, kw_only=True)
class ExplainedParts:
    """What a page shows of a score's explanations.

    Attributes
    ----------
    importance, note
        How much worse it is judged without each input, or why that was not measured.
    contributions, method
        What each part adds, and how that was found, or why it was not.
    """

    importance: Figure | None
    note: str
    contributions: Table | None
    method: str
    dependences: Sequence[Figure]
    moves: Figure | None
    robustness: Table | None


def parts(whole: Explained, losses: Sequence[Importance], note: str, kpi: str) -> ExplainedParts:
    """Return the tables and figures of explanations.

    Parameters
    ----------
    note
        Why there are no losses, where there are none.
    kpi
        What the KPI is called.
    """
    features = whole.schema.features
    return ExplainedParts(
        importance=figures.importance(losses, features, kpi) if losses else None,
        note=note,
        contributions=tables.parts(whole),
        method=whole.method,
        dependences=list(figures.dependences(whole.dependences)),
        moves=figures.moves(whole),
        robustness=tables.robustness(whole),
    )


def render(
    loaded: LoadedVersion,
    whole: Explained,
    losses: Sequence[Importance],
    note: str,
    rows: Sequence[ExplainedRow],
    *,
    kpi: str,
) -> str:
    """Return the explanations as one HTML file that needs no other file and no network."""
    features, model = whole.schema.features, loaded.logical_model
    return render_page(
        "explain.html.j2",
        title=f"Explanations: {model.title}",
        version=loaded.version,
        logical_model=model,
        whole=whole,
        shown=parts(whole, losses, note, kpi),
        rows=[
            (
                words.outcome_text(one),
                figures.contributions(one, features, number),
                tables.whatif(one, features),
                one,
            )
            for number, one in enumerate(rows)
        ],
    )
