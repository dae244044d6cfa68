"""Days that bandits count: what comes late, what is killed, and what a count costs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from loopcast.api import BanditSettings
from loopcast.iterate.experiments.learning import learn
from loopcast.store.events import event_table

from .shop import Shop, read_since
from .worlds import BEGUN, hear

Served = Mapping[tuple[str, datetime], int]
Told = Mapping[tuple[str, datetime], float]

NEVER = datetime.max.replace(tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = BEGUN + timedelta(days=12, hours=23)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "home")


def log(shop: Shop, impressions: Served) -> None:
    """Log which arm served whom when."""
    arm = np.array(list(impressions.values()))
    shop.home.events.append(
        event_table(
            key=[name for name, _ in impressions], time=[at for _, at in impressions],
            logical_model="demand", segment="", version=np.array(shop.item.arms)[arm],
            role=np.where(arm == 0, "champion", "challenger"),
            outputs={"probability": np.full(len(arm), 0.1)}, propensity=0.3,
        )
    )  # fmt: skip


def by_hand(
    impressions: Served, outcomes: Told, until: datetime, wait: timedelta | None
) -> tuple[NDArray[np.float64], int]:
    """Count one impression after the other; those of silence are failures where there is a wait."""
    counts, heard = np.zeros((2, 3)), 0
    for (name, at), arm in sorted(impressions.items(), key=lambda item: item[0][1]):
        later = min((t for who, t in impressions if who == name and t > at), default=NEVER)
        waited = at + wait if wait else NEVER
        own = {t: v for (who, t), v in outcomes.items() if who == name and at <= t <= waited}
        said = [own[t] for t in sorted(own) if t < later]
        if at < until and (said or wait):
            counts *= BanditSettings().forgetting
            counts[0 if said and said[-1] > 0.0 else 1, arm] += 1.0
            heard += 1
    return counts, heard


def learned(shop: Shop, now: datetime = NOW) -> tuple[NDArray[np.float64], int]:
    """Let it learn; return successes and failures, and how many outcomes it counts."""
    state = learn([shop.trial], shop.home, now)[""]
    shop.home.catalog.put_bandits("demand", {"": state})
    return np.array([state.successes, state.failures]), state.heard


@pytest.mark.parametrize(("seed", "wait"), [(0, 2), (1, 2), (2, 0)])
def test_whatever_comes_when_it_knows_what_a_count_by_hand_does(
    tmp_path: Path, seed: int, wait: int
) -> None:
    """Impressions and outcomes of 12 days come in any order, and it learns in between."""
    shop = Shop(tmp_path / "home", wait_days=wait, silence_counts=wait > 0)
    random = np.random.default_rng(seed)
    hours = random.choice(12 * 24, 150, replace=False).tolist()
    keys = [(f"c{random.integers(12)}", BEGUN + HOUR * hour) for hour in hours]
    impressions = {key: int(random.integers(3)) for key in keys}
    outcomes = {
        (name, at + HOUR * int(random.integers(80))): float(random.integers(2))
        for name, at in keys[:100]
    }
    for part in range(4):
        log(shop, dict(list(impressions.items())[part::4]))
        log(shop, dict(list(impressions.items())[part::8]))  # again, which changes nothing
        some = list(outcomes)[part::4]
        told = [outcomes[key] for key in some]
        hear(shop.home, [name for name, _ in some], told, [at for _, at in some])
        learned(shop, BEGUN + timedelta(days=4 * part, hours=7))
    counts, heard = learned(shop)
    wanted = by_hand(impressions, outcomes, NOW - timedelta(days=wait), timedelta(wait) or None)
    np.testing.assert_allclose(counts, wanted[0], rtol=1e-9)
    assert heard == wanted[1] > 50


def test_an_event_that_comes_late_counts_and_only_the_days_it_concerns_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(8):
        shop.serve(day)
        shop.learn(day)
    now = BEGUN + timedelta(days=7, hours=23)
    before, heard = learned(shop, now)
    since = read_since(shop, monkeypatch)
    log(shop, {(f"late {number}", BEGUN + timedelta(days=3)): 2 for number in range(30)})
    after, more = learned(shop, now)
    assert more == heard + 30
    assert after[1, 2] - before[1, 2] > 10.0
    assert since == [BEGUN + timedelta(days=1)], "the day, and those whose wait it is in"
    assert learned(shop, now)[1] == more
    assert len(since) == 1


def test_compaction_changes_nothing_and_a_damaged_count_is_made_anew(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(5):
        shop.serve(day)
        log(shop, {("once more", BEGUN + timedelta(days=day)): 1})
        learned(shop, BEGUN + timedelta(days=day + 1))
    before = learned(shop)
    since = read_since(shop, monkeypatch)
    assert shop.home.events.compact("demand", grace=timedelta(0)).days == 5
    assert shop.home.truth.compact("demand", grace=timedelta(0)).days == 1
    assert np.array_equal(learned(shop)[0], before[0])
    assert since == []
    (damaged,) = shop.home.folder.rglob("*-bandits/*/2026-03-04.arrow")
    damaged.write_bytes(damaged.read_bytes()[:-200])
    assert np.array_equal(learned(shop)[0], before[0])
    assert since == [BEGUN + timedelta(days=2)]


KILLED = """
import sys
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from loopcast.iterate.experiments.learning import learn
from loopcast.store.home import open_home
home, now = open_home(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
trial = home.catalog.experiment("demand", "", "spring")
print("ready", flush=True)
while True:
    learn([trial], home, now)
    for folder in Path(sys.argv[1]).glob("*-bandits"):
        rmtree(folder)
"""


def test_a_count_that_is_killed_loses_and_doubles_nothing(shop: Shop) -> None:
    for day in range(10):
        shop.serve(day)
    wanted = learned(shop)
    shop.home.catalog.close()
    command = [sys.executable, "-c", KILLED, str(shop.home.folder), NOW.isoformat()]
    for moment in (0.03, 0.12):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(moment)
            process.kill()
        found = learned(shop)
        assert np.array_equal(found[0], wanted[0])
        assert found[1] == wanted[1] == 10 * 400
