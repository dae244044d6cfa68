"""EASE as a method: its option is the ridge; its weights follow from that and the choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from loopcast_recommender.ease.weights import Weights, solver
from loopcast_recommender.history.method import Method

if TYPE_CHECKING:
    from scipy import sparse

    from loopcast.api import Files


class Ridge(msgspec.Struct, frozen=True):
    """λ, in choices."""

    ridge: float


def _learn(choices: sparse.csr_array) -> Callable[[Ridge], Weights]:
    solve = solver(choices)
    return lambda option: solve(option.ridge)


def _load(files: Files, choices: sparse.csr_array, option: Ridge) -> Weights:
    return _learn(choices)(option)


EASE = Method(option=Ridge, learn=_learn, load=_load, ordered=True)
