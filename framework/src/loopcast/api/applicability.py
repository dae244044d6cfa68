"""What is done with a request that is unlike what a version was trained on."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api.record import Record

Treatment = Literal["ignore", "flag", "fallback", "person", "refuse"]
Action = Literal["served", "flagged", "fallback", "person", "refused"]

ACTIONS: dict[Treatment, Action] = {
    "ignore": "served",
    "flag": "flagged",
    "fallback": "fallback",
    "person": "person",
    "refuse": "refused",
}
"""What an event says was done, by treatment, from the mildest to the strictest."""


class Applicability(Record, frozen=True):
    """The domain of applicability of a logical model, and what is done beyond it.

    ``ignore`` answers as ever; ``flag`` answers and says why the answer is doubtful; ``fallback``
    lets the fallback template of the version answer, where it has one, and leaves the row
    without an answer otherwise, for callers to do what the logical model's fallback says;
    ``person`` puts the row on a work list; ``refuse`` gives no answer. A row to which both apply
    gets the stricter one.

    Attributes
    ----------
    outside
        For values outside the bounds of the training, categories that it had not, and values
        that are missing where it missed none.
    novelty
        For ordinary values in a combination that is unlike the training.
    share
        The share of the training rows that are as unlike the others; what is stranger is novel.
    """

    outside: Treatment = "flag"
    novelty: Treatment = "flag"
    share: Annotated[float, msgspec.Meta(gt=0.0, le=0.5)] = 0.01

    def action(self, *, outside: bool, novel: bool) -> Action:
        """Return what is done with a row.

        Examples
        --------
        >>> Applicability(outside="refuse").action(outside=True, novel=True)
        'refused'
        >>> Applicability(outside="refuse").action(outside=False, novel=True)
        'flagged'
        """
        order = tuple(ACTIONS)
        chosen = [t for t, applies in ((self.outside, outside), (self.novelty, novel)) if applies]
        return ACTIONS[max(chosen, key=order.index, default="ignore")]

    @property
    def falls_back(self) -> bool:
        """Whether versions need a fallback that can answer for every row."""
        return "fallback" in (self.outside, self.novelty)
