"""The same run on a real Dask cluster: started for it, or an existing one."""

from __future__ import annotations

import json
import math
import operator
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loopcast.develop.engine import DaskEngine, EngineError, engine_for
from loopcast.settings import EngineSettings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dask")]

LOOPCAST = Path(sys.executable).with_name("loopcast")
OWN = EngineSettings(name="dask", workers=2)


@pytest.fixture(autouse=True, scope="module")
def distributed() -> Any:
    reason = "Dask is not installed; install it with: pip install 'loopcast[dask]'"
    return pytest.importorskip("distributed", reason=reason)


@pytest.fixture(scope="module")
def engine(distributed: Any) -> Iterator[DaskEngine]:
    import dask

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        engine_for(OWN) as engine,
    ):
        assert isinstance(engine, DaskEngine)
        yield engine


def existing(address: str) -> EngineSettings:
    return EngineSettings(name="dask", workers=1, address=address, timeout=1.0)


def test_results_keep_the_order(engine: DaskEngine) -> None:
    assert list(engine.map(math.sqrt, [16, 9, 4, 1, 0])) == [4, 3, 2, 1, 0]


def test_work_runs_on_the_workers(engine: DaskEngine) -> None:
    workers = set(engine.client.run(os.getpid).values())
    assert len(workers) == 2
    assert set(engine.map(operator.call, [os.getpid] * 4)) <= workers


def test_an_error_of_the_work_arrives_as_it_is(engine: DaskEngine) -> None:
    with pytest.raises(ValueError, match="math domain error"):
        list(engine.map(math.sqrt, [1, -1, 1]))


def test_a_worker_that_dies_is_an_error_and_no_endless_wait(engine: DaskEngine) -> None:
    with pytest.raises(EngineError, match=r"^the Dask cluster lost a piece of work \(KilledWorker"):
        list(engine.map(os._exit, [1]))
    assert list(engine.map(abs, [-1])) == [1]


def fail(pids: set[int]) -> None:
    with engine_for(OWN) as engine:
        pids.update(engine.map(operator.call, [os.getpid] * 4))
        raise ZeroDivisionError


def test_a_run_that_fails_leaves_no_process() -> None:
    pids: set[int] = set()
    with pytest.raises(ZeroDivisionError):
        fail(pids)
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_no_scheduler() -> None:
    expected = r"^no Dask scheduler answered at tcp://127.0.0.1:9 within 1 s \(.*\): check"
    with pytest.raises(EngineError, match=expected), engine_for(existing("tcp://127.0.0.1:9")):
        pass


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        (0, r"got no worker within 1 s: start some with 'dask worker tcp://"),
        (1, r"has 2 threads: start it with --nthreads 1, and more of them instead$"),
    ],
)
def test_a_scheduler_whose_workers_do_not_fit(
    distributed: Any, workers: int, expected: str
) -> None:
    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=2,
            processes=False,
            protocol="tcp",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        pytest.raises(EngineError, match=expected),
        engine_for(existing(cluster.scheduler_address)),
    ):
        pass


def run(folder: Path, *arguments: str) -> tuple[dict[str, Any], pd.DataFrame]:
    """Run a quick template on real data; return the summary and the forecast."""
    # The other baseline is the template itself, which it cannot beat.
    quick = ("template=forecasting.seasonal_naive", "~baselines.naive_week")
    finished = subprocess.run(
        [str(LOOPCAST), "run", *quick, *arguments],
        cwd=folder,
        env={**os.environ, "LOOPCAST_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stderr == ""
    [summary] = folder.glob("runs/*/*/summary.json")
    return json.loads(summary.read_bytes()), pd.read_parquet(summary.with_name("forecast.parquet"))


def test_the_same_run_gives_the_same_version(engine: DaskEngine, tmp_path: Path) -> None:
    address = engine.client.scheduler.address
    choices = {
        "local": ("engine.workers=1",),
        "own": ("engine=dask", "engine.workers=2"),
        "existing": ("engine=dask", f"engine.address={address}"),
    }
    found = {}
    for name, choice in choices.items():
        (tmp_path / name).mkdir()
        found[name] = run(tmp_path / name, *choice)
    summary, forecast = found["local"]
    for other in ("own", "existing"):
        assert found[other][0]["trained_now"]
        assert found[other][0]["version"] == summary["version"]
        assert found[other][0]["metrics"] == summary["metrics"]
        pd.testing.assert_frame_equal(found[other][1], forecast, check_exact=True)
