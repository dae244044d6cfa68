"""Simulated devices against a real broker."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loopcast_edge.simulate.scenario import HARD, Fate, Scenario
from loopcast_edge.wire import Trial, encode, topics

from .. import models
from ..agent.device import noise
from ..brokers import running
from ..centre import STEP_S, Centre, desired


def simulate(folder: Path, port: int, *arguments: Any) -> dict[str, Any]:
    """Simulate in a process of its own; return the summary."""
    command = [sys.executable, "-m", "loopcast_edge.simulate", "--broker", f"127.0.0.1:{port}"]
    done = subprocess.run(
        [*command, "--root", str(folder / "root"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


@pytest.mark.parametrize(
    ("devices", "scenario", "seconds"),
    [
        (20, "calm", 20),
        pytest.param(
            60,
            '{"churn_per_hour": 600, "away_s": 0.5, "loss": 0.05, "slow_share": 0.3, '
            '"slow_s": 0.3, "skew_s": 60, "power_cuts_per_hour": 300}',
            100,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_fleet_gets_there_whatever_befalls_it(
    tmp_path: Path, devices: int, scenario: str, seconds: int
) -> None:
    centre = Centre()
    (tmp_path / "root").write_bytes(encode(centre.root))
    lines = [json.dumps({"temperature": number % 30, "load": 40.0}) for number in range(50)]
    (tmp_path / "lines.jsonl").write_text("\n".join(lines))
    model = models.linear([[2.0]], [0.001], padding=noise(2000))
    package = centre.package(model=model, trial=Trial(seconds=1, predictions=2))
    with running(tmp_path, "max_queued_messages 0") as (_, store):
        store.publish({topics.KEYS: centre.keys(), **package.retained(chunk_size=2048)})
        names = [topics.device(f"sim-{number}", "desired") for number in range(devices)]
        store.publish(dict.fromkeys(names, desired(1, package)))
        summary = simulate(
            tmp_path,
            store.port,
            *("--devices", devices, "--scenario", scenario, "--seed", 5, "--seconds", seconds),
            *("--until-running", devices, "--measure", tmp_path / "lines.jsonl"),
            *("--step-s", STEP_S, "--measure-every", 0.3, "--uplink-s", 1),
        )
        assert summary["stages"] == {"running": devices}
        assert summary["predictions"] >= 2 * devices
        if scenario != "calm":
            assert min(summary[what] for what in ("lost", "churned", "power_cuts")) > 0
        for (device, _, _), batch in store.batches.items():
            keys = [each.key for each in getattr(batch, "events", ())]
            assert len(set(keys)) == len(keys), device


def test_the_same_seed_draws_the_same_accidents_for_a_device() -> None:
    def drawn(seed: int, number: int) -> list[Any]:
        fate = Fate(HARD, seed, number)
        return [fate.skew_ms, fate.lost(), fate.late_s(), fate.away_s(), fate.next_churn_s()]

    assert drawn(1, 7) == drawn(1, 7)
    assert drawn(1, 7) != drawn(2, 7)
    assert drawn(1, 7) != drawn(1, 8)
    assert Fate(Scenario(), 1, 7).next_power_cut_s() is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--broker", "nowhere"), "expected HOST:PORT"),
        (("--scenario", "stormy"), "calm, hard"),
        (("--scenario", '{"wind": 9}'), "wind"),
        (("--measure", "/nowhere"), "No such file"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from loopcast_edge.simulate.__main__ import main

    (tmp_path / "root").write_bytes(b"")
    always = ["--devices", "1", "--broker", "127.0.0.1:1", "--root", str(tmp_path / "root")]
    assert main([*always, *arguments]) == 78
    assert said in capsys.readouterr().err
