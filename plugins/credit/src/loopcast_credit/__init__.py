"""Credit scores for loopcast: scorecards, logistic regression, boosting, expert rules.

This module is the plugin: it names what the package offers and imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loopcast.api import Preparation, Template, hookimpl
from loopcast_credit.rejects.preparations import PREPARATIONS
from loopcast_credit.templates.boosted_scorecard import BoostedScorecard
from loopcast_credit.templates.boosting import Boosting
from loopcast_credit.templates.logistic import Logistic
from loopcast_credit.templates.rules import Rules
from loopcast_credit.templates.scorecard import Scorecard
from loopcast_credit.templates.two_stage import TwoStage

LOOPCAST_CONTRACT = (1, 1)


@hookimpl
def loopcast_templates() -> Sequence[Template[Any, Any]]:
    """Offer the templates for scores."""
    return [BoostedScorecard(), Boosting(), Logistic(), Rules(), Scorecard(), TwoStage()]


@hookimpl
def loopcast_preparations() -> Sequence[Preparation]:
    """Offer reject inference."""
    return PREPARATIONS


@hookimpl
def loopcast_conf() -> Mapping[str, str]:
    """Offer the logical model of credit applications and its data."""
    return {"credit": "pkg://loopcast_credit.conf"}
