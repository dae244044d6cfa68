"""The reliability diagram of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loopcast.develop.calibration.reliability import reliability
from loopcast.develop.score.metrics import calibration_error
from loopcast.web.charts import Axis, Band, Line, LineChart, compact
from loopcast.web.page import Figure

if TYPE_CHECKING:
    from loopcast.api import ScoreOutcome


def reliability_figure(
    outcomes: Sequence[tuple[str, str, ScoreOutcome]],
    *,
    name: str = "calibration",
    title: str = "Calibration: what happened of what was said",
) -> Figure:
    """Return how often what was said came true, with 95 % intervals.

    Parameters
    ----------
    outcomes
        Label, role and judged rows of each score, or of each group.
    name
        Of the figure in its page.
    """
    # All of the width is for what is said at all: of a rare event, only low probabilities are.
    highest = max(float(outcome.probability.max()) for _, _, outcome in outcomes) or 1.0
    found = [(label, role, reliability(outcome, highest)) for label, role, outcome in outcomes]
    middle = compact(found[0][2].middle.tolist())
    errors = [f"{label} {calibration_error(outcome):.2%}" for label, _, outcome in outcomes]
    return Figure(
        id=name,
        title=title,
        text="On the dashed line, what was said happened as often; bins without rows are left out. "
        f"Expected calibration error: {', '.join(errors)}.",
        chart=LineChart(
            x=Axis(values=middle, title="Probability that was said"),
            title="Share of events",
            unit="",
            lines=(
                *(
                    Line(label=label, role=role, values=compact(one.happened.tolist()))
                    for label, role, one in found
                ),
                Line(label="as said", role="other-1", values=middle),
            ),
            bands=tuple(
                Band(
                    label="",
                    role=role,
                    low=compact(one.low.tolist()),
                    high=compact(one.high.tolist()),
                )
                for _, role, one in found
            ),
            zero=True,
        ),
    )
