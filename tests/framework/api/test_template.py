"""A segment's failure is its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import msgspec
import pytest

from loopcast.api import ConvergenceError, Hyperparameters, LoopcastError, ModelError, fit_each


def fit(data: int) -> float:
    if data < 0:
        raise ConvergenceError(f"no convergence from {data}")
    return 1.0 / data


def test_each_segment_has_its_outcome() -> None:
    outcomes = dict(fit_each({"a": 2, "b": -1, "c": 0, "d": 4}, fit))
    assert outcomes["a"] == 0.5
    assert outcomes["d"] == 0.25
    assert isinstance(outcomes["b"], ConvergenceError)
    assert str(outcomes["b"]) == "no convergence from -1"


def test_what_nobody_expected_is_named_and_kept_as_the_cause() -> None:
    [(segment, outcome)] = fit_each({"c": 0}, fit)
    assert segment == "c"
    assert isinstance(outcome, ModelError)
    assert "segment 'c': ZeroDivisionError: float division by zero" in str(outcome)
    assert isinstance(outcome.__cause__, ZeroDivisionError)


def test_an_interruption_is_not_an_outcome() -> None:
    def interrupted(data: int) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(fit_each({"a": 1, "b": 2}, interrupted))


def test_segments_are_loaded_when_asked_for() -> None:
    loaded = []

    class Lazy(Mapping[str, int]):
        def __getitem__(self, segment: str) -> int:
            loaded.append(segment)
            return 1

        def __iter__(self) -> Iterator[str]:
            return iter(["a", "b", "c"])

        def __len__(self) -> int:
            return 3

    outcomes = fit_each(Lazy(), fit)
    assert loaded == []
    assert next(outcomes) == ("a", 1.0)
    assert loaded == ["a"]


def test_hyperparameters_are_typed() -> None:
    class Parameters(Hyperparameters, frozen=True):
        days: Annotated[int, msgspec.Meta(ge=1)] = 28

    assert msgspec.convert({}, Parameters).days == 28
    with pytest.raises(msgspec.ValidationError, match=r"Expected `int` >= 1 - at `\$.days`"):
        msgspec.convert({"days": 0}, Parameters)
    with pytest.raises(msgspec.ValidationError, match="unknown field `day`"):
        msgspec.convert({"day": 3}, Parameters)


def test_every_error_has_one_root() -> None:
    from loopcast.api import errors

    found = [value for value in vars(errors).values() if isinstance(value, type)]
    assert len(found) > 10
    assert all(issubclass(error, LoopcastError) for error in found)
