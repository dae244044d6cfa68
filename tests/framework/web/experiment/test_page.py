"""The page of an experiment: nothing of an effect while it is sealed, everything after."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import msgspec
import numpy as np
import pytest

from loopcast.iterate.experiments.evaluation import Evaluated, result_of
from loopcast.web.experiment.page import render

from ...iterate.experiments.worlds import begin, evaluated, experiment, hear, home_with_arms, serve
from ..browser import chromium
from ..comparison.test_browser import look

__all__ = ["chromium"]

NAMES = [f"customer {number}" for number in range(2_400)]


@pytest.fixture
def found(tmp_path: Path) -> Evaluated:
    home, arms = home_with_arms(tmp_path / "home", 3)
    item = experiment(
        arms, days=28, wait_days=14, guardrails={"brier": 0.5},
        baseline=0.2, deviation=0.4,
    )  # fmt: skip
    begin(home, item)
    arm = serve(home, item, NAMES)
    happened = np.random.default_rng(1).random(len(NAMES)) < np.array([0.2, 0.2, 0.4])[arm]
    hear(home, NAMES, happened.astype(float))
    return evaluated(home)


def text_of(page: str) -> str:
    body = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_a_sealed_page_tells_counts_and_no_effect(found: Evaluated) -> None:
    progress = replace(found.progress, needed=2_000)
    page = render(found.trial.experiment, progress, None)
    text = text_of(page)
    assert "The result is sealed" in text
    assert "outcomes known 2,400 of 2,400" in text
    for word in ("difference", "better", "verdict", "undecided"):
        assert word not in text.replace("is better", "").replace("finds differences", "")
    assert "<figure" not in page


def test_counts_of_what_may_be_looked_at_say_how(found: Evaluated) -> None:
    item, shown = found.trial.experiment, "'loopcast experiment result' shows the effects."
    complete = unescape(text_of(render(item, found.progress, None)))
    assert f"The sample is complete: {shown}" in complete
    early = replace(found.progress, needed=2_000)
    sequential = msgspec.structs.replace(item, sequential=True)
    any_time = unescape(text_of(render(sequential, early, None)))
    assert shown in any_time
    assert "complete:" not in any_time


def test_the_id_of_a_version_stays_as_it_is_where_it_begins_a_sentence(found: Evaluated) -> None:
    result, version = result_of(found), "dc5bfa62d03ec05e"
    won = replace(result.contrasts[-1], version=version)
    shown = replace(result, contrasts=(won,), winner=version)
    page = render(result.experiment, result.progress, shown)
    assert f"{version} is to be released" in text_of(page)


def test_the_page_of_a_result_tells_all_of_it(found: Evaluated) -> None:
    result = result_of(found)
    page = render(found.trial.experiment, found.progress, result)
    text = text_of(page)
    best = found.trial.experiment.arms[2]
    assert f"{best} is to be released" in text
    assert "the intervals hold for this one look" in text
    assert text.count("brier") == 3, "a guardrail of two arms, and in the declaration"
    data = [json.loads(block) for block in re.findall(r'-data">(.*?)</script>', page)]
    assert len(data) == 2, "how the difference of each arm developed"
    last = [chart["lines"][0]["values"][-1] for chart in data]
    assert last == pytest.approx([c.difference for c in result.contrasts], rel=1e-5)
    assert not re.search(r'(src|href)="(?!#|data:)', page), "it needs no other file"


@pytest.mark.parametrize("width", [1280, 390])
def test_effects_are_drawn_and_none_is_cut(
    chromium: str, found: Evaluated, tmp_path: Path, width: int
) -> None:
    html = render(found.trial.experiment, found.progress, result_of(found))
    seen, console = look(chromium, html, tmp_path, width)
    assert console == []
    assert (seen["plots"], seen["blank"], seen["overflow"], seen["outside"]) == (2, 0, 0, 0)
    assert seen["dots"] == 5, "two differences, and the values of three arms"
