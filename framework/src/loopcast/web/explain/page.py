"""The page of explanations as one self-contained file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loopcast.web.explain import figures, tables, words
from loopcast.web.page import render_page

if TYPE_CHECKING:
    from loopcast.deploy.explained import Explained, ExplainedRow
    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.develop.explain.importance import Importance


def render(
    loaded: LoadedVersion,
    whole: Explained,
    losses: Sequence[Importance],
    note: str,
    rows: Sequence[ExplainedRow],
) -> str:
    """Return the explanations as one HTML file that needs no other file and no network.

    Parameters
    ----------
    note
        Why there are no losses, where there are none.
    """
    features, model = whole.schema.features, loaded.logical_model
    return render_page(
        "explain.html.j2",
        title=f"Explanations: {model.title}",
        version=loaded.version,
        logical_model=model,
        whole=whole,
        importance=figures.importance(losses, features, model.kpi.metric.upper())
        if losses
        else None,
        note=note,
        dependences=list(figures.dependences(whole.dependences)),
        parts_table=tables.parts(whole),
        moves=figures.moves(whole),
        robustness=tables.robustness(whole),
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
