"""Make the bins of every characteristic, by what an expert says and by the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ConfigurationError
from loopcast_credit.bins.bins import Bins, CategoryBins, NumericBins
from loopcast_credit.bins.cuts import quantile_cuts
from loopcast_credit.bins.groups import category_groups
from loopcast_credit.bins.options import BinOptions, Characteristic

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def make_bins(
    features: Mapping[str, pd.Series[Any]],
    event: NDArray[np.float64],
    weight: NDArray[np.float64],
    options: BinOptions,
) -> list[Bins]:
    """Make the bins of every characteristic.

    Parameters
    ----------
    features : mapping of str to Series, shape (rows,)
    event, weight : ndarray, shape (rows,)

    Raises
    ------
    ConfigurationError
        For a characteristic that is no feature, or a word that does not fit its kind.
    """
    check_names(options.characteristics, features)
    return [_bins(name, column, event, weight, options) for name, column in features.items()]


def check_names(said: Mapping[str, object], features: Iterable[str]) -> None:
    """Check that an expert speaks of features that there are.

    Raises
    ------
    ConfigurationError
        For a name that is none of them.
    """
    known = list(features)
    for name in said:
        if name not in known:
            there = ", ".join(known)
            raise ConfigurationError(f"characteristics: {name!r} is no feature; there are {there}")


def _bins(
    name: str,
    values: pd.Series[Any],
    event: NDArray[np.float64],
    weight: NDArray[np.float64],
    options: BinOptions,
) -> Bins:
    said = options.characteristics.get(name, Characteristic())
    if is_number(values):
        _check_number(name, said)
        return NumericBins(name=name, cuts=_cuts(values, said, options), specials=said.specials)
    _check_category(name, said)
    groups = said.groups
    if groups is None:
        groups = category_groups(values, event, weight, options.bins, options.rare)
    return CategoryBins(name=name, groups=groups)


def is_number(values: pd.Series[Any]) -> bool:
    """Say whether a feature is a number or a flag, which is one."""
    return values.dtype.kind in "fiub"


def _cuts(values: pd.Series[Any], said: Characteristic, options: BinOptions) -> tuple[float, ...]:
    if said.cuts is not None:
        return said.cuts
    x = values.to_numpy(np.float64)
    known = ~np.isnan(x)
    if not known.all():
        x = x[known]
    if said.specials:
        x = x[~np.isin(x, said.specials)]
    return quantile_cuts(x, options.bins, options.minimum_share)


def _check_number(name: str, said: Characteristic) -> None:
    if said.groups is not None:
        raise ConfigurationError(f"characteristics.{name}.groups: {name} is a number; give cuts")
    if said.cuts is not None and not all(np.diff(said.cuts) > 0):
        raise ConfigurationError(f"characteristics.{name}.cuts: {said.cuts} do not ascend")


def _check_category(name: str, said: Characteristic) -> None:
    if said.cuts is not None or said.specials:
        raise ConfigurationError(
            f"characteristics.{name}: {name} is a category; give groups in place of cuts"
        )
    if said.monotone not in (None, "none"):
        raise ConfigurationError(
            f"characteristics.{name}.monotone: {name} is a category, which has no order"
        )
    members = [one for group in said.groups or () for one in group]
    twice = sorted({one for one in members if members.count(one) > 1})
    if twice:
        raise ConfigurationError(f"characteristics.{name}.groups: {twice[0]!r} is in two groups")
