"""The dossier of one version as one self-contained page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopcast.api import ForecastSchema
from loopcast.web import effects, formats
from loopcast.web.dossier import tables, words
from loopcast.web.explain.page import parts as explained_parts
from loopcast.web.fairness.page import parts as fairness_parts
from loopcast.web.page import render_page

if TYPE_CHECKING:
    from loopcast.deploy.dossier import Dossier


def render(dossier: Dossier) -> str:
    """Return the dossier as one HTML file that needs no other file and no network."""
    schema = dossier.logical_model.schema
    unit = schema.unit if isinstance(schema, ForecastSchema) else ""
    learned, kpi = dossier.learned, dossier.kpi
    choice = effects.selector(learned.effects)
    return render_page(
        "dossier.html.j2",
        dossier=dossier,
        title=words.title(dossier),
        words=words,
        tables=tables,
        effects=effects.figures(learned.effects, choice, unit),
        explained=explained_parts(learned.explained, learned.losses, learned.losses_note, kpi)
        if learned.explained
        else None,
        fairness=fairness_parts(learned.fairness, kpi) if learned.fairness else None,
        made=f"{dossier.made:%Y-%m-%d %H:%M}{formats.NBSP}UTC",
    )
