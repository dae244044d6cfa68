"""Trees as plain values, read from what LightGBM writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loopcast.api import ConfigurationError

if TYPE_CHECKING:
    from lightgbm import Booster


@dataclass(frozen=True)
class Split:
    """Where a tree asks whether a number is at most a threshold.

    Attributes
    ----------
    feature
        Place of the number among the inputs.
    missing_left
        Whether a missing number takes the left branch.
    """

    feature: int
    threshold: float
    missing_left: bool
    left: Tree
    right: Tree


Tree = Split | float
"""A split, or the value of a leaf."""


def library() -> Any:
    """Return LightGBM.

    Raises
    ------
    ConfigurationError
        Where it is not installed.
    """
    try:
        import lightgbm
    except ModuleNotFoundError:
        raise ConfigurationError(
            "boosting needs LightGBM, which is not installed: pip install "
            "'loopcast-credit[boosting]'"
        ) from None
    return lightgbm


def trees_of(booster: Booster) -> list[Tree]:
    """Return the trees, whose answers add up to the log-odds."""
    return [_tree(one["tree_structure"]) for one in booster.dump_model()["tree_info"]]


def _tree(node: Mapping[str, Any]) -> Tree:
    if "leaf_value" in node:
        return float(node["leaf_value"])
    threshold = float(node["threshold"])
    # Where training had no missing value, LightGBM takes one for a zero.
    none = node["missing_type"] == "None"
    return Split(
        feature=int(node["split_feature"]),
        threshold=threshold,
        missing_left=threshold >= 0.0 if none else bool(node["default_left"]),
        left=_tree(node["left_child"]),
        right=_tree(node["right_child"]),
    )
