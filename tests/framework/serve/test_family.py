from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from loopcast.api import ModelError
from loopcast.deploy.loaded import Opened
from loopcast.deploy.lookup import Serving
from loopcast.serve import family
from loopcast.serve.answers import Posed, SegmentAnswers
from loopcast.serve.family import AnswerJob, AtHand, Who, answer_tables
from loopcast.store.trials import Trial

from ..store.builders import NOON


def begin(posed: Posed) -> Posed:
    return _asked(posed, "begin")


def end(posed: Posed) -> int:
    return len(_asked(posed, "end").data)


def _asked(posed: Posed, step: str) -> Posed:
    """Let the model do what it does in a step."""
    [opened] = posed.responsible.opened.values()
    opened.model(step, posed.data)
    return posed


def fine(step: str, data: list[int]) -> None:
    pass


def failing_in(step: str) -> Any:
    def fails(now: str, data: list[int]) -> None:
        if now == step:
            raise ModelError(f"broken in {step}")

    return fails


def emptying(step: str, data: list[int]) -> None:
    data.clear()


def job_of(serving: dict[str, Serving], artifacts: Path) -> AnswerJob:
    course: Any = SimpleNamespace(logical_model=SimpleNamespace(name="toys", task="toy"))
    batch: Any = SimpleNamespace(describe=str, source=SimpleNamespace(settings=None))
    return AnswerJob(
        course=course, batch=batch, who=Who(serving=serving, versions={}), day=None,
        made=NOON, templates={}, artifacts=str(artifacts), rules={}, table=True,
    )  # fmt: skip


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Answers of segments by their champions, beside which shadows are asked."""
    toy = SimpleNamespace(prepare=lambda question: [1, 2, 3], STEPS=(begin, end))
    monkeypatch.setitem(sys.modules, "loopcast.serve.toy", toy)
    monkeypatch.setattr(family, "answered_batch", lambda found, *others, **named: found)

    def ask(**models: tuple[Any, Any]) -> dict[str, SegmentAnswers[int]]:
        at_hand, serving = {}, {}
        for name, own in models.items():
            arms = (f"{name}-1", f"{name}-2")
            at_hand[name] = AtHand(
                opened={v: Opened(files={}, model=m) for v, m in zip(arms, own, strict=True)}
            )
            experiment: Any = SimpleNamespace(kind="shadow", arms=arms)
            serving[name] = Serving(
                logical_model="toys",
                segment=name,
                champion=arms[0],
                trial=Trial(experiment=experiment),
            )
        job = job_of(serving, tmp_path)
        found: Any = answer_tables(job, [(name, pd.DataFrame()) for name in models], at_hand)
        return {item.segment: item for item in found}

    return ask


def test_an_error_in_a_step_stays_with_its_segment(answered: Any) -> None:
    found = answered(
        first=(failing_in("begin"), fine), second=(fine, fine), third=(failing_in("end"), fine)
    )
    assert {name: (item.answers, item.reason) for name, item in found.items()} == {
        "first": (None, "broken in begin"),
        "second": (3, ""),
        "third": (None, "broken in end"),
    }
    assert {name: item.heard.answers for name, item in found.items()} == {
        "first": {}, "second": {"second-2": 3}, "third": {},
    }  # fmt: skip


def test_a_shadow_takes_all_steps_and_fails_alone(answered: Any) -> None:
    found = answered(one=(fine, failing_in("end")), two=(fine, fine))
    assert [item.answers for item in found.values()] == [3, 3]
    assert found["one"].heard.silent == {"one-2": "ModelError: broken in end"}
    assert found["two"].heard.answers == {"two-2": 3}


def test_what_a_shadow_does_to_the_data_comes_too_late_for_who_is_served(answered: Any) -> None:
    found = answered(one=(fine, emptying))
    assert (found["one"].answers, found["one"].heard.answers) == (3, {"one-2": 0})


def test_seconds_are_those_of_the_champion_of_the_segment(answered: Any) -> None:
    def slow(step: str, data: list[int]) -> None:
        time.sleep(0.05)

    found = answered(quick=(fine, slow), slow=(slow, fine))
    assert found["slow"].seconds > 0.1 > found["quick"].seconds


@pytest.mark.parametrize(("steps", "at_once"), [((end,), 1), ((begin, end), 16)])
def test_few_segments_are_in_memory_at_once_where_no_training_has_left_them_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, steps: Any, at_once: int
) -> None:
    toy = SimpleNamespace(prepare=lambda question: [1, 2, 3], STEPS=steps)
    monkeypatch.setitem(sys.modules, "loopcast.serve.toy", toy)
    monkeypatch.setattr(family, "answered_batch", lambda found, *others, **named: found)
    waiting: list[int] = []
    most = 0

    def tables() -> Any:
        nonlocal most
        for number in range(40):
            waiting.append(number)
            most = max(most, len(waiting))
            yield str(number), pd.DataFrame()

    def answers(step: str, data: list[int]) -> None:
        if step == "end":
            waiting.pop()

    opened = SimpleNamespace(opened={"v": Opened(files={}, model=answers)})
    monkeypatch.setattr(family, "_responsible", lambda *asked: opened)
    serving: Any = {
        str(n): Serving(logical_model="toys", segment=str(n), champion="v") for n in range(40)
    }
    found: Any = answer_tables(job_of(serving, tmp_path), tables())
    assert [item.answers for item in found] == [3] * 40
    assert most == at_once
