"""One plugin that brings all that a run needs, and what tests ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from loopcast import config
from loopcast.api import ConfigurationError
from loopcast.plugins import PluginManager
from loopcast.settings import RunSettings
from loopcast.validate import gates

from ..distributions import HEADER, template

ACME = f"""{HEADER}{template("acme.mean")}{template("acme.score", task="score", suffix="2")}
class Options(Hyperparameters, frozen=True):
    path: str
    separator: str = ","

class Table:
    name, summary, options = "table", "a table", Options
    def read(self, options, base): ...
    def describe(self, options): ...

class Bottom:
    name, summary = "acme.bottom", "bottom up"
    def fit(self, *arguments): ...

@hookimpl
def loopcast_templates(): return [Mean(), Mean2()]
@hookimpl
def loopcast_readers(): return [Table()]
@hookimpl
def loopcast_reconcilers(): return [Bottom()]
@hookimpl
def loopcast_metrics():
    return [MetricDefinition(
        name="mape", title="MAPE", task="forecast", direction="lower", rows=abs)]
@hookimpl
def loopcast_conf(): return {{"acme": "pkg://fake_loopcast_acme.conf"}}
"""


TOWN = """\
# @package _global_
defaults:
  - override /data: town
  - override /template: acme.mean
logical_model:
  name: town
  title: Demand of the town
  owner: grid
  kpi: {metric: mape}
  risk:
    {audience: internal, impact: minor, lifetime: weeks, reversibility: reversible,
     personal_data: none}
  schema:
    task: forecast
    unit: MW
    step: 30min
    timezone: Europe/Paris
    sites: {here: {timezone: Europe/Paris}}
baselines:
  naive:
    name: acme.mean
    hyperparameters: {window: 1}
reconciliation: acme.bottom
"""


DATA = """\
name: town
reader: table
options: {path: town.csv}
table: {time: at, target: load}
"""


CONF = {
    "conf/__init__.py": "",
    "conf/logical_model/town.yaml": TOWN,
    "conf/data/town.yaml": DATA,
    "conf/template/steep.yaml": "name: acme.mean\nhyperparameters: {mode: steep}\n",
}


TOWN_RUN = "logical_model=town"


def load(disable: Sequence[str]) -> PluginManager:
    """The core's gates, which the shipped policy demands, and what a test installs."""
    return PluginManager.load(disable, builtin=(gates,))


def refused(plugins: PluginManager, *overrides: str, folder: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        config.compose([TOWN_RUN, *overrides], plugins=plugins, folder=folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def unreachable(settings: RunSettings, directory: Path) -> None:
    raise AssertionError(f"ran {settings} in {directory}")
