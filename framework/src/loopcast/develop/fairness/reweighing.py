"""Reweighing: rows count so that the outcome does not depend on the group among training rows.

A version that was trained so is an alternative beside the unconstrained one, and labelled as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from loopcast.api import DataError, Hyperparameters, ScoreData
from loopcast.develop.fairness.groups import CROSS, attributes_to_learn_by, declared

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ReweighingOptions(Hyperparameters, frozen=True):
    """By which groups, and how far.

    Attributes
    ----------
    attributes
        Whose groups, where several meet, are evened; all that the schema protects where empty.
    strength
        Power of the weights: 0 changes nothing, 1 makes outcome and group independent, and more
        goes beyond.
    limit
        Largest factor by which a row counts more, or less.
    fewest
        Known rows of each outcome that a group needs; smaller groups stay as they are, since
        weights would amplify chance.
    """

    attributes: tuple[str, ...] = ()
    strength: Annotated[float, msgspec.Meta(ge=0.0, le=3.0)] = 1.0
    limit: Annotated[float, msgspec.Meta(gt=1.0)] = 10.0
    fewest: Annotated[int, msgspec.Meta(ge=1)] = 10


class Reweighing:
    """Preparation: weights that make the outcome independent of the group.

    Source: F. Kamiran and T. Calders (2012), Data preprocessing techniques for classification
    without discrimination, Knowledge and Information Systems 33, section 4.3: a row of group g
    and outcome y counts P(g) P(y) / P(g, y) times.
    """

    name = "fairness.reweighing"
    summary = "rows count so that the outcome does not depend on the group"
    options = ReweighingOptions

    def assumptions(self, options: ReweighingOptions) -> tuple[str, ...]:
        """Return what has to be known of a version that was trained so."""
        whom = CROSS.join(options.attributes) or "all protected attributes"
        return (
            f"Outcomes that depend on {whom} are taken for an injustice of the past that the score "
            "is not to repeat, and not for a difference of risk that it has to know.",
            "Its probabilities are those of a world in which the groups fare alike; what happens "
            "in this one is measured by group in the dossier.",
            "It is an alternative beside the unconstrained version: to choose it is a decision "
            "that a person signs, and no run releases it.",
        )

    def alternative(self, options: ReweighingOptions) -> str:
        """Label the versions that were trained so."""
        return f"reweighed by {CROSS.join(options.attributes) or 'all protected attributes'}"

    def prepare(self, data: ScoreData, options: ReweighingOptions, seed: int) -> ScoreData:
        """Weigh the rows whose outcome and group are known; the others stay as they are.

        Raises
        ------
        DataError
            Where there is no such attribute, or fewer than two groups are large enough.
        """
        from dataclasses import replace

        import numpy as np

        group = _groups(data, options.attributes or declared(data.schema))
        known = _large(group, data.target, options.fewest)
        factor = np.ones(len(group))
        factor[known] = _factors(group[known], data.target[known], data.weight[known])
        bounded = np.clip(factor**options.strength, 1.0 / options.limit, options.limit)
        return replace(data, weight=data.weight * bounded)


def _groups(data: ScoreData, attributes: Sequence[str]) -> NDArray[np.intp]:
    """Return the number of each row's group, −1 where an attribute is not known."""
    import numpy as np

    from loopcast.develop.score.trial import subpopulations

    frame = attributes_to_learn_by(data, attributes, "reweighing")
    columns = [subpopulations(frame[name]) for name in attributes]
    codes = np.array([column.codes for column in columns], np.int64)
    sizes = [max(len(column.categories), 1) for column in columns]
    joint = np.ravel_multi_index(tuple(np.maximum(codes, 0)), sizes)
    return np.where((codes >= 0).all(axis=0), joint, -1)


def _large(group: NDArray[np.intp], target: NDArray[np.float64], fewest: int) -> NDArray[np.bool_]:
    """Say which rows are of a group with enough rows of each outcome, shape (rows,)."""
    import numpy as np

    known = ~np.isnan(target) & (group >= 0)
    count = int(group.max(initial=-1)) + 1
    events = np.bincount(group[known], target[known], minlength=count)
    others = np.bincount(group[known], 1.0 - target[known], minlength=count)
    large = (events >= fewest) & (others >= fewest)
    if large.sum() < 2:
        raise DataError(
            f"reweighing: {int(large.sum())} groups of the training rows have {fewest} rows of "
            "each outcome; expected two or more, of fewer attributes or with another fewest"
        )
    return np.asarray(known & large[group])


def _factors(
    group: NDArray[np.intp], event: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return by how much each row counts more, shape (rows,)."""
    import numpy as np

    _, place = np.unique(group, return_inverse=True)
    cell = 2 * place + (event == 1.0)
    total = weight.sum()
    of_group = np.bincount(place, weight) / total
    of_event = np.bincount((event == 1.0).astype(np.intp), weight, minlength=2) / total
    of_cell = np.bincount(cell, weight, minlength=2 * len(of_group)) / total
    return np.asarray((of_group[place] * of_event[(event == 1.0).astype(np.intp)]) / of_cell[cell])
