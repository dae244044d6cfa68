"""The templates of docs/tasks.md as an installed plugin, and tables for them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from .distributions import install

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tasks.md"


def install_examples(site: Path) -> None:
    """Install the page's code as the plugin ``example``."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    future = "from __future__ import annotations\n"
    install(site, "example", future + "".join(blocks))


def applications(rows: int, seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    """Credit applications over a year, whose risk falls with income and rises with debt."""
    rng = np.random.default_rng(seed)
    income, debt = rng.normal(3000, 800, rows) + shift, rng.normal(9000, 4000, rows)
    risk = 1 / (1 + np.exp(1.0 + (income - 3000) / 800 - (debt - 9000) / 4000))
    days = np.sort(rng.integers(0, 365, rows))
    return pd.DataFrame(
        {
            "id": [f"a{seed}_{row}" for row in range(rows)],
            "at": (np.datetime64("2024-01-01") + days).astype(str),
            "income": income.round(2),
            "debt": np.where(rng.random(rows) < 0.1, np.nan, debt.round(2)),
            "sex": rng.choice(["f", "m"], rows),
            "outcome": np.where(rng.random(rows) < risk, "bad", "good"),
        }
    )


SCORE_MODEL = """\
# @package _global_
defaults:
  - override /data: applications
  - override /template: example.logistic
logical_model:
  name: credit
  title: Credit
  purpose: Decide on applications.
  owner: risk
  risk:
    {audience: internal, impact: minor, lifetime: months, reversibility: reversible,
     personal_data: none}
  kpi: {metric: auc, direction: higher}
  schema:
    task: score
    key: application
    target: outcome
    event: bad
    time: at
    features:
      income: {kind: numeric, minimum: -5000.0}
      debt: {kind: numeric, missing: true}
      sex: {kind: category, protected: true, used: false}
baselines: {}
"""

SCORE_DATA = """\
name: applications
reader: csv
options: {path: applications.csv}
table:
  task: score
  columns: {application: id}
  segment: null
"""


def write_configuration(folder: Path, files: dict[str, str]) -> Path:
    """Write a folder of configuration."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def sales(rows: int, seed: int, customers: int = 40, products: int = 25) -> pd.DataFrame:
    """Sales over a year, in which some products are far more popular than others."""
    rng = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, products + 1)
    product = rng.choice(products, rows, p=share / share.sum())
    return pd.DataFrame(
        {
            "customer": [f"c{number}" for number in rng.integers(0, customers, rows)],
            "product": [f"p{number}" for number in product],
            "sold": (np.datetime64("2024-01-01") + np.sort(rng.integers(0, 365, rows))).astype(str),
        }
    )


RANK_MODEL = """\
# @package _global_
defaults:
  - override /data: sales
  - override /template: example.popularity
logical_model:
  name: shop
  title: Suggestions
  purpose: What else a customer may like.
  owner: shop
  risk:
    {audience: internal, impact: minor, lifetime: months, reversibility: reversible,
     personal_data: none}
  kpi: {metric: ndcg, direction: higher}
  schema: {task: rank, entity: customer, item: product, time: sold, length: 5}
baselines: {}
"""

RANK_DATA = """\
name: sales
reader: csv
options: {path: sales.csv}
table: {task: rank, segment: null}
"""


FORECAST_MODEL = """\
# @package _global_
defaults:
  - override /data: meters
  - override /template: example.mean
logical_model:
  name: meters
  title: Meters
  purpose: Plan tomorrow.
  owner: grid
  risk:
    {audience: internal, impact: minor, lifetime: months, reversibility: reversible,
     personal_data: none}
  kpi: {metric: mae}
  schema:
    task: forecast
    unit: kW
    step: 1h
    timezone: Europe/Paris
    sites: {here: {timezone: Europe/Paris}}
baselines: {}
backtest: {origins: 6, calibration: 6, every: 1, refit_every: 6}
reconciliation: ""
"""

FORECAST_DATA = """\
name: meters
reader: csv
options: {path: meters.csv}
table: {task: forecast, time: at, target: load, segment: tenant}
"""


def meters(tenants: int) -> pd.DataFrame:
    """Forty days of hours for each tenant."""
    times = pd.date_range("2024-01-01", periods=24 * 40, freq="1h", tz="Europe/Paris")
    return pd.concat(
        pd.DataFrame(
            {
                "at": times.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"),
                "load": 5.0 + np.random.default_rng(number).random(len(times)),
                "tenant": f"t{number}",
            }
        )
        for number in range(tenants)
    )
