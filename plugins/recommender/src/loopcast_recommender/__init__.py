"""Recommendations for loopcast: which items an entity is likely to choose next.

This module is the plugin: it names what the package offers and imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loopcast.api import Template, hookimpl
from loopcast_recommender.templates.als import Als
from loopcast_recommender.templates.ease import Ease
from loopcast_recommender.templates.features import Features
from loopcast_recommender.templates.item_knn import ItemKnn
from loopcast_recommender.templates.popularity import Popularity
from loopcast_recommender.templates.ratings import Ratings

LOOPCAST_CONTRACT = (1, 0)


@hookimpl
def loopcast_templates() -> Sequence[Template[Any, Any]]:
    """Offer the templates for rankings."""
    return [Als(), Ease(), Features(), ItemKnn(), Popularity(), Ratings()]


@hookimpl
def loopcast_conf() -> Mapping[str, str]:
    """Offer the logical model of movie picks and its data."""
    return {"recommender": "pkg://loopcast_recommender.conf"}
