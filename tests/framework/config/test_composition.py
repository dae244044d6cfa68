"""What composes: settings from files, plugins, folders and the command line."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from loopcast import config
from loopcast.api import ConfigurationError
from loopcast.plugins import PluginManager
from loopcast.settings import ForecastTable

from ..distributions import SHIPPED
from .town import TOWN_RUN, load


def test_a_run_is_composed_of_typed_settings(plugins: PluginManager, loopcast_home: Path) -> None:
    settings = config.compose([TOWN_RUN, "seed=7"], plugins=plugins)
    assert settings.job.name == "predict"
    assert settings.seed == 7
    assert settings.logical_model.name == "town"
    assert settings.data.options == {"path": "town.csv", "separator": ","}
    defaults = {"window": 7, "weights": (0.5, 0.5), "mode": "flat"}
    assert settings.template.hyperparameters == defaults
    assert settings.baselines["naive"].hyperparameters == {**defaults, "window": 1}
    assert settings.engine.workers >= 1
    assert settings.store.catalog == f"sqlite:///{loopcast_home}/catalog.db"


def test_plugins_bring_their_own_options(plugins: PluginManager) -> None:
    settings = config.compose([TOWN_RUN, "template=steep"], plugins=plugins)
    assert settings.template.name == "acme.mean"
    assert settings.template.hyperparameters["mode"] == "steep"


def test_a_plugins_file_replaces_the_option_made_from_its_template(site: Path) -> None:
    own = site / "fake_loopcast_acme" / "conf" / "template" / "acme.mean.yaml"
    own.write_text("name: acme.mean\nhyperparameters: {window: 3}\n")
    settings = config.compose([TOWN_RUN], plugins=load(SHIPPED))
    assert settings.template.hyperparameters["window"] == 3


def test_a_folder_of_the_users_own(plugins: PluginManager, folder: Path) -> None:
    (folder / "engine" / "small.yaml").write_text("name: local\nworkers: 3\n")
    settings = config.compose([TOWN_RUN, "engine=small"], plugins=plugins, folder=folder)
    assert settings.engine.workers == 3


def test_threads_compose_one_after_the_other(plugins: PluginManager) -> None:
    seeds: list[int] = []

    def compose(seed: int) -> None:
        seeds.append(config.compose([TOWN_RUN, f"seed={seed}"], plugins=plugins).seed)

    threads = [threading.Thread(target=compose, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seeds) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "variable", "expected"),
    [
        ((), "", ()),
        ((), "acme, other", ("acme", "other")),
        (("plugins.disable=[acme]",), "", ("acme",)),
        (("plugins.disable=['acme', other]",), "third", ("acme", "other", "third")),
        (("++plugins.disable=[acme]", "seed=3"), "", ("acme",)),
        (("plugins.disable=[]",), "", ()),
    ],
)
def test_what_is_disabled_is_known_before_anything_is_imported(
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    variable: str,
    expected: tuple[str, ...],
) -> None:
    monkeypatch.setenv("LOOPCAST_DISABLE_PLUGINS", variable)
    assert config.disabled(arguments) == expected


def test_a_plugin_that_is_disabled_is_missing_by_name(site: Path) -> None:
    plugins = load([*SHIPPED, *config.disabled(["plugins.disable=[acme]"])])
    assert "fake_loopcast_acme" not in sys.modules
    with pytest.raises(ConfigurationError) as caught:
        config.compose(["template=acme.mean", "plugins.disable=[acme]"], plugins=plugins)
    assert str(caught.value) == (
        "the command line: template: template 'acme.mean' is not available: "
        "plugin 'acme' (loopcast-acme 1.2.3) is disabled"
    )


@pytest.mark.parametrize("model", ["victoria_demand", "nem_demand"])
def test_the_shipped_logical_models_compose(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from loopcast.cli import plugin_manager

    monkeypatch.setenv("LOOPCAST_NEM_DATA", "/data/nem")
    settings = config.compose([f"logical_model={model}"], plugins=plugin_manager())
    assert settings.logical_model.name == model
    assert settings.template.name == "forecasting.gam_arima"
    assert set(settings.baselines) == {"naive_day", "naive_week"}
    assert isinstance(settings.data.table, ForecastTable)
    assert settings.data.table.gaps == "refuse"
