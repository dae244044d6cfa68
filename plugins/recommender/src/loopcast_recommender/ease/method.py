"""EASE as a method: its option is the ridge; its weights follow from that and the choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from loopcast_recommender.ease.weights import Weights, solve
from loopcast_recommender.history.method import Method

if TYPE_CHECKING:
    from scipy import sparse

    from loopcast.api import Files


class Ridge(msgspec.Struct, frozen=True):
    """λ, in choices."""

    ridge: float


def _solve(choices: sparse.csr_array, options: Sequence[Ridge]) -> list[Weights]:
    return list(solve(choices, [option.ridge for option in options]))


def _load(files: Files, choices: sparse.csr_array, option: Ridge) -> Weights:
    [weights] = solve(choices, [option.ridge])
    return weights


EASE = Method(option=Ridge, solve=_solve, load=_load)
