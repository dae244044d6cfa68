from __future__ import annotations

import gc
import math
import operator
import os
import sys
from collections.abc import Iterator

import pytest

from loopcast.develop.engine import AHEAD, EngineError, LocalEngine, _problem, engine_for
from loopcast.settings import EngineSettings

HERE = {"loopcast": "1.0", "numpy": "2.4", "psycopg": "3.3"}


def test_one_worker_is_this_process() -> None:
    with engine_for(EngineSettings(name="local", workers=1)) as engine:
        assert list(engine.map(operator.call, [os.getpid])) == [os.getpid()]


def test_more_workers_are_processes_and_keep_the_order() -> None:
    with engine_for(EngineSettings(name="local", workers=2)) as engine:
        assert engine == LocalEngine(2)
        assert list(engine.map(math.sqrt, [9, 4, 1, 0])) == [3, 2, 1, 0]
        assert os.getpid() not in list(engine.map(operator.call, [os.getpid] * 2))


def test_processes_look_for_cycles_as_often_as_the_one_that_starts_them() -> None:
    usual = gc.get_threshold()
    gc.set_threshold(9_000, 8, 7)
    try:
        found = list(LocalEngine(2).map(operator.call, [gc.get_threshold] * 2))
    finally:
        gc.set_threshold(*usual)
    assert found == [(9_000, 8, 7)] * 2


def test_one_item_starts_no_process() -> None:
    assert list(LocalEngine(2).map(operator.call, [os.getpid])) == [os.getpid()]
    assert list(LocalEngine(2).map(operator.call, [])) == []


def test_no_more_results_wait_than_were_asked_for() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(40):
            drawn.append(number)
            yield number * number

    results = LocalEngine(2).map(math.sqrt, items())
    for taken, result in enumerate(results, 1):
        assert result == taken - 1
        assert len(drawn) <= taken + 2 * AHEAD
    assert len(drawn) == 40


def test_an_error_arrives_as_it_is_and_a_process_that_ends_is_told() -> None:
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        list(LocalEngine(2).map(math.sqrt, [1, 4, -1, 9]))
    with pytest.raises(
        EngineError, match=r"ended before its work, .* set engine\.workers to fewer"
    ):
        list(LocalEngine(2).map(os._exit, [3, 3]))
    assert list(LocalEngine(2).map(math.sqrt, [9, 4])) == [3, 2]


def test_dask_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    settings = EngineSettings(name="dask", workers=1)
    expected = r"^engine=dask needs Dask: pip install 'loopcast\[dask\]'$"
    with pytest.raises(EngineError, match=expected), engine_for(settings):
        pass


@pytest.mark.parametrize(
    ("there", "threads", "expected"),
    [
        (HERE, 1, ""),
        ({"loopcast": "1.0", "numpy": "2.4", "distributed": "2026.8"}, 1, ""),
        (
            {**HERE, "numpy": "2.3", "loopcast": "0.9"},
            1,
            "has other versions: loopcast 0.9 (here 1.0), numpy 2.3 (here 2.4); install there "
            "what is installed here",
        ),
        (
            ModuleNotFoundError("No module named 'loopcast'"),
            1,
            "lacks a package of this run (No module named 'loopcast'): install there what is "
            "installed here",
        ),
        (HERE, 4, "has 4 threads: start it with --nthreads 1, and more of them instead"),
    ],
)
def test_why_a_worker_is_refused(
    there: dict[str, str] | Exception, threads: int, expected: str
) -> None:
    assert _problem(HERE, there, threads) == expected
