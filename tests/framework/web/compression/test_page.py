"""The page of a compression shows the front and what was chosen."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from loopcast.api import DeviceBudget
from loopcast.deploy.compress.search import Candidate, Choice, Search
from loopcast.web.compression.page import digits, render


def candidate(precision: Any, size: int, error: float) -> Candidate:
    return Candidate(
        choice=Choice(precision=precision),
        content=bytes(size),
        error=error,
        microseconds=2.0,
        runtime="LiteRT",
    )


def compressed(budget: DeviceBudget) -> Any:
    files = (
        candidate("int8", 1_000, 0.02),
        candidate("int8", 1_200, 0.03),
        candidate("float16", 2_000, 1e-4),
        candidate("float32", 4_000, 1e-7),
    )
    found = Search(budget=budget, candidates=files, chosen=files[2])
    model = SimpleNamespace(title="Demand <of> Victoria", owner="ann")
    loaded = SimpleNamespace(logical_model=model, version=SimpleNamespace(id="0123"))
    return SimpleNamespace(loaded=loaded, series="victoria", search=found)


def test_it_names_the_chosen_file_and_draws_digits_by_size() -> None:
    page = render(compressed(DeviceBudget(error=1e-3, bytes=3_000)))
    assert "Demand &lt;of&gt; Victoria for devices" in page
    assert "series victoria: 2,000 bytes, float16, an error of 0.0001" in page
    assert "within an error of 0.001 and 3,000 bytes" in page
    charts = [json.loads(one) for one in re.findall(r'type="application/json"[^>]*>(.*?)<', page)]
    [chart] = [one for one in charts if one.get("kind") == "lines"]
    assert chart["x"]["values"] == [1.0, 1.2, 2.0, 4.0]
    lines = {line["label"]: line["values"] for line in chart["lines"]}
    assert lines["int8"] == pytest.approx([1.69897] * 4, rel=1e-5)
    assert lines["float32"] == [None, None, None, 7.0]
    assert chart["marks"] == [[2.0, "chosen"], [3.0, "allowed"]]
    # A larger file that is no better is not on the front.
    assert "1,200" not in page


def test_digits_have_an_end() -> None:
    assert digits(1e-12) == digits(0.0) == 9.0
