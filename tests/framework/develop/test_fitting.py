"""A candidate begins at the champion's model where its template can, and nobody else does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from loopcast.api import FitContext, Hyperparameters, ModelError
from loopcast.develop.course import Contender
from loopcast.develop.engine import LocalEngine
from loopcast.develop.fitting import fit, fit_after

CONTEXT = FitContext(seed=1, engine=LocalEngine())
FAMILY = {"a": 1, "b": 2}


class Plain:
    """Adds one to the data, and forgets the segment c."""

    name = "acme.plain"
    task = "rank"
    summary = "adds one"
    hyperparameters = Hyperparameters

    def fit(
        self, family: Mapping[str, int], hyperparameters: Any, context: FitContext
    ) -> Iterator[tuple[str, int]]:
        return ((segment, data + 1) for segment, data in family.items() if segment != "c")

    def load(self, files: Any) -> int:
        return 0


class Going(Plain):
    """Adds the data to the model before."""

    def fit_after(
        self, models: Mapping[str, int], family: Mapping[str, int], p: Any, context: FitContext
    ) -> Iterator[tuple[str, int]]:
        return self.fit({s: data + models.get(s, 0) for s, data in family.items()}, p, context)


def course_of(template: Any) -> Any:
    candidate, baseline = (
        Contender(label=label, template=template, hyperparameters=Hyperparameters())
        for label in ("own", "other")
    )
    return SimpleNamespace(candidate=candidate, baselines=(baseline,))


@pytest.mark.parametrize(
    ("template", "champions", "expected"),
    [
        (Going(), {"a": 10}, {"a": 12, "b": 3}),
        (Going(), {}, {"a": 2, "b": 3}),
        (Plain(), {"a": 10}, {"a": 2, "b": 3}),
    ],
)
def test_a_candidate_begins_at_its_champion(template: Any, champions: Any, expected: Any) -> None:
    course = course_of(template)
    assert fit_after(course, champions, FAMILY, CONTEXT, None) == expected
    assert fit(course, course.baselines[0], FAMILY, CONTEXT, None) == {"a": 2, "b": 3}


def test_what_is_finished_by_the_core_begins_anew() -> None:
    course = course_of(Going())
    found = fit_after(course, {"a": 10}, FAMILY, CONTEXT, lambda _, models, *__: {"a": models["b"]})
    assert found == {"a": 3, "b": 3}


def test_a_segment_of_which_nothing_is_said_has_an_error() -> None:
    found = fit_after(course_of(Going()), {"a": 10}, {"a": 1, "c": 1}, CONTEXT, None)
    assert found["a"] == 12
    assert isinstance(found["c"], ModelError)
    assert "gave no outcome for segment 'c'" in str(found["c"])
