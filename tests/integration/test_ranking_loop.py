"""A ranking goes round the loop by the installed commands: gated, signed, served, watched."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

LOOPCAST = str(Path(sys.executable).with_name("loopcast"))
MODEL = "movie_picks"
RISKIER = ("logical_model.risk.impact=moderate",)
"""What asks for the gates, and the sign-off, of the medium class."""

pytestmark = pytest.mark.slow


def loopcast(home: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [LOOPCAST, *arguments], cwd=home.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_a_ranking_goes_round_the_loop(loopcast_home: Path) -> None:
    home = loopcast_home
    loopcast(home, "run", f"logical_model={MODEL}", "job=train", *RISKIER)
    [listed] = json.loads(loopcast(home, "models", "list", "--json"))
    version = listed["id"]
    assert listed["stage"] == "staging"
    release = ("release", version, "--to", "champion", "--by", "ann", "--reason", "tried it")
    assert "no sign-off by the role model_owner" in loopcast(home, *release, code=1)
    gates = loopcast(home, "validate", version, "--by", "ann")
    assert {"baselines", "oddities", "stability", "latency", "size"} <= set(gates.split())
    signed = ("--role", "model_owner", "--for", "champion", "--by", "bob", "--statement", "fine")
    loopcast(home, "sign", version, *signed)
    loopcast(home, *release)

    loopcast(home, "run", f"logical_model={MODEL}", "job=serve", *RISKIER)
    served = home / "served" / MODEL / "current"
    lists: Any = pd.read_parquet(served / "rankings.parquet")
    assert set(lists["version"]) == {version}
    assert "share of the lists" in (served / "report.html").read_text()

    first = lists[lists["place"] == 1].set_index("person")["movie"]
    liked = first.where(pd.Series(range(len(first)), index=first.index) % 2 == 0, "no such movie")
    liked.rename_axis("key").rename("value").to_csv(home.parent / "truth.csv")
    known = loopcast(
        home, "truth", "ingest", "truth.csv", "-m", MODEL, "--observed-at", "2030-01-01"
    )
    assert f"{len(first)} of {len(first)} predictions have an outcome" in known
    seen = loopcast(home, "monitor", "-m", MODEL, "--page", "monitor.html")
    [recall] = re.findall(r"^recall +all +([\d.]+)", seen, re.M)
    assert float(recall) == pytest.approx((len(first) + 1) // 2 / len(first), abs=1e-4)
    assert "Movies that a person" in (home.parent / "monitor.html").read_text()
    loopcast(home, "audit", "verify")
