"""Explanation and fairness on 30,000 real clients, through the installed command."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

LOOPCAST = str(Path(sys.executable).with_name("loopcast"))
TAIWAN = Path(__file__).resolve().parents[3] / "shared/data/credit_taiwan_default"
TABLE = TAIWAN / "credit_taiwan_default.csv.gz"
PROTECTED = ("sex", "age", "marriage")
CUTOFF = 0.25

MODEL = """\
# @package _global_
defaults:
  - override /data: clients
  - override /template: credit.scorecard
  - override /holdout: random
logical_model:
  name: clients
  title: Default of card clients
  purpose: Decide on limits.
  owner: risk
  risk:
    {audience: internal, impact: minor, lifetime: months, reversibility: reversible,
     personal_data: none}
  kpi: {metric: auc, direction: higher}
  decision: {cutoff: 0.25}
  reasons: {most: 3}
  schema:
    task: score
    key: client
    target: default_next_month
    event: 1
    features:
"""

DATA = f"""\
name: clients
reader: csv
options: {{path: {TABLE}}}
table: {{task: score, columns: {{client: id}}, segment: null}}
"""


def features(table: pd.DataFrame) -> str:
    """What an expert says of each column: protected ones are measured by and not used."""
    said = {
        "sex": "kind: category, protected: true, used: false",
        "marriage": "kind: category, protected: true, used: false",
        "age": "kind: numeric, protected: true, used: false",
        "education": "kind: category",
        "limit_bal": "kind: numeric, minimum: 0.0, slack: 10000.0",
    }
    names = [name for name in table.columns if name not in ("id", "default_next_month")]
    paid = "kind: numeric, minimum: 0.0, changeable: up"
    other = {n: paid if n.startswith("pay_amt") else "kind: numeric" for n in names}
    return "".join(f"      {name}: {{{(other | said)[name]}}}\n" for name in names)


@pytest.fixture
def home(tmp_path: Path, loopcast_home: Path) -> Path:
    if not TABLE.exists():
        pytest.skip(f"{TABLE} is not there")
    for name, text in (
        ("logical_model/clients.yaml", MODEL + features(pd.read_csv(TABLE, nrows=5))),
        ("data/clients.yaml", DATA),
    ):
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    loopcast("run", "--config-dir", "conf", "logical_model=clients", home=loopcast_home)
    return loopcast_home


def loopcast(*arguments: str, home: Path) -> str:
    done = subprocess.run(
        [LOOPCAST, *arguments], cwd=home.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def asked(*arguments: str, home: Path) -> Any:
    return json.loads(loopcast(*arguments, "--json", home=home))


@pytest.mark.slow
def test_clients_are_told_why_and_measured_by_what_the_score_never_saw(home: Path) -> None:
    [version] = [one["id"] for one in asked("models", "list", home=home)]
    scores = pd.read_parquet(next((home / "served/clients").glob("*/scores.parquet")))
    assert len(scores) == 30_000
    given = scores[["reason_1", "reason_2", "reason_3"]].notna().to_numpy()
    assert (given[:, :-1] >= given[:, 1:]).all(), "reasons come without gaps"
    assert given[scores["probability"] > CUTOFF, 0].all(), "each refusal has a reason"
    told = {str(text).partition(":")[0] for text in scores["reason_1"].dropna()}
    assert told
    assert not told & set(PROTECTED)
    _by_group(version, home)
    _explained(version, home)
    refused = scores["client"].iloc[int((scores["probability"] - 0.3).abs().to_numpy().argmin())]
    _flipped(version, str(refused), home)


def _by_group(version: str, home: Path) -> None:
    found = asked("fairness", version, home=home)
    by = {one["attribute"]: one for one in found["decisions"]}
    pairs = {frozenset(name.split(" × ")) for name in by}
    assert pairs == {frozenset(names) for size in (1, 2) for names in combinations(PROTECTED, size)}
    men = next(one for one in by["sex"]["groups"] if one["group"] == "male")
    assert by["sex"]["best"] == "female"
    assert men["ratio"]["low"] > 0.8, "four fifths are kept for certain"
    assert men["ratio"]["high"] < 1.0, "men are granted less often, as they default more often"
    unknown = next(one for one in by["marriage"]["groups"] if one["group"] == "unknown")
    assert not unknown["enough"]


def _explained(version: str, home: Path) -> None:
    first, second, *_ = asked("explain", version, home=home)["features"]
    assert first["feature"] == "pay_status_1"
    assert first["interval"][0] > second["interval"][1], "the last payment matters most, for sure"


def _flipped(version: str, client: str, home: Path) -> None:
    """What is said to flip a decision does, when it is asked anew."""
    [found] = asked("explain", version, "--row", client, "--what-if", home=home)
    assert not found["granted"]
    assert found["what_if"]
    table = pd.read_csv(TABLE)
    row = table[table["id"] == int(client)].copy()
    for change in found["what_if"][0]["changes"]:
        assert change["feature"].startswith("pay_amt")
        assert change["after"] > row[change["feature"]].iloc[0]
        row[change["feature"]] = change["after"]
    file = home.parent / "changed.csv"
    row.to_csv(file, index=False)
    [again] = asked("explain", version, "--file", str(file), home=home)
    assert again["granted"]
    assert np.isclose(again["probability"], found["what_if"][0]["probability"])
