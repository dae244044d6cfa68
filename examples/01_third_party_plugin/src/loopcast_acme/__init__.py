"""The plugin: what the package offers. It is imported on every start, so nothing heavy is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loopcast.api import Template, hookimpl
from loopcast_acme.similar_day import SimilarDay

LOOPCAST_CONTRACT = (1, 0)


@hookimpl
def loopcast_templates() -> Sequence[Template[Any, Any]]:
    """Offer the template; its hyperparameters become ``template=acme.similar_day``."""
    return [SimilarDay()]


@hookimpl
def loopcast_conf() -> Mapping[str, str]:
    """Offer configuration beside it: variants of the template, as options of their own."""
    return {"acme": "pkg://loopcast_acme.conf"}
