"""Configuration: what composes, what is refused, and what a run and a multirun do."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra

from loopcast import config
from loopcast.api import ConfigurationError, DataError, LoopcastError, PluginError
from loopcast.plugins import PluginManager
from loopcast.settings import ForecastTable, RunSettings
from loopcast.validate import gates

from .distributions import HEADER, SHIPPED, forget_fakes, install, template

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
    "conf/logical_model/town.yaml": TOWN,
    "conf/data/town.yaml": DATA,
    "conf/template/steep.yaml": "name: acme.mean\nhyperparameters: {mode: steep}\n",
}

TOWN_RUN = "logical_model=town"


def load(disable: Sequence[str]) -> PluginManager:
    """The core's gates, which the shipped policy demands, and what a test installs."""
    return PluginManager.load(disable, builtin=(gates,))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages: one plugin that brings all that a run needs."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    install(folder, "acme", ACME, files=CONF)
    with forget_fakes():
        yield folder


@pytest.fixture
def plugins(site: Path) -> PluginManager:
    """Found with nothing but that plugin."""
    assert site.is_dir()
    return load(SHIPPED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's own folder of configuration."""
    for group in ("engine", "template", "store", "logical_model"):
        (tmp_path / "mine" / group).mkdir(parents=True)
    return tmp_path / "mine"


def refused(plugins: PluginManager, *overrides: str, folder: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        config.compose([TOWN_RUN, *overrides], plugins=plugins, folder=folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


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


UNKNOWN_WINDOW = "unknown key; did you mean 'window'? Valid: mode, weights, window"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "engine.wrokers=3",
            "the command line: engine.wrokers: unknown key; did you mean 'workers'? "
            "Valid: address, name, timeout, workers",
        ),
        ("engine.workers=x", "the command line: engine.workers: expected `int`, got 'x'"),
        (
            "+engine.host=x",
            "the command line: engine.host: unknown key; Valid: address, name, timeout, workers",
        ),
        (
            "enigne.workers=2",
            "the command line: enigne: unknown key; did you mean 'engine'? Valid: backtest, "
            "baselines, calibration, checks, data, engine, experiment, fallback, holdout, job, "
            "logical_model, plugins, policy, preparation, reconciliation, retrain, seed, store, "
            "template",
        ),
        (
            "data.table.until=2014-01-01",
            "the command line: data.table.until: not in the composed configuration; "
            "add it with +data.table.until=2014-01-01",
        ),
        (
            "template=acme.maen",
            "the command line: template: template 'acme.maen' is not known; did you mean "
            "'acme.mean'? Installed: acme.mean, acme.score; ",
        ),
        (
            "template=forecasting.gam_arima",
            "the command line: template: template 'forecasting.gam_arima' is not available: "
            "plugin 'forecasting' (loopcast-forecasting 0.1.0) is disabled",
        ),
        (
            "template=acme.score",
            "the template acme.score: template.name: acme.score is for the task score, "
            "the logical model is a forecast",
        ),
        (
            "template.hyperparameters.widnow=3",
            f"the command line: template.hyperparameters.widnow: {UNKNOWN_WINDOW}",
        ),
        (
            "template.hyperparameters.window=0",
            "the command line: template.hyperparameters.window: expected `int` >= 1, got 0",
        ),
        (
            "template.hyperparameters.mode=step",
            "the command line: template.hyperparameters.mode: got 'step'; did you mean 'steep'? "
            "Valid: flat, steep",
        ),
        (
            "+baselines.naive.hyperparameters.widnow=3",
            f"the command line: baselines.naive.hyperparameters.widnow: {UNKNOWN_WINDOW}",
        ),
        (
            "store=sqlite",
            "the command line: store: store has no option 'sqlite'; Valid: embedded, server; ",
        ),
        (
            "store=embeded",
            "the command line: store: store has no option 'embeded'; did you mean 'embedded'? "
            "Valid: embedded, server; plugin 'credit' (loopcast-credit 0.1.0) is disabled; "
            "plugin 'forecasting' (loopcast-forecasting 0.1.0) is disabled; "
            "plugin 'recommender' (loopcast-recommender 0.1.0) is disabled",
        ),
        (
            "store=server",
            "conf/store/server.yaml: store.catalog: Environment variable 'LOOPCAST_CATALOG_URL' "
            "not found",
        ),
        (
            "data.reader=tabel",
            "the command line: data.reader: reader 'tabel' is not known; did you mean 'table'? "
            "Installed: table; ",
        ),
        (
            "+data.options.seperator=x",
            "the command line: data.options.seperator: unknown key; did you mean 'separator'? "
            "Valid: path, separator",
        ),
        (
            "reconciliation=acme.botom",
            "the command line: reconciliation: reconciler 'acme.botom' is not known; did you mean "
            "'acme.bottom'? Installed: acme.bottom; ",
        ),
        (
            "logical_model.kpi.metric=maep",
            "the command line: logical_model.kpi.metric: no metric 'maep'; did you mean 'mape'? "
            "Valid: mape",
        ),
        (
            "logical_model.risk.audience=null",
            "the command line: logical_model.risk: no answer to audience: the risk class follows "
            "from all five",
        ),
        (
            "logical_model.risk.impact=huge",
            "the command line: logical_model.risk.impact: got 'huge'; Valid: minor, moderate, "
            "severe",
        ),
        (
            "+policy.classes.low.relase=automatic",
            "the command line: policy.classes.low.relase: unknown key; did you mean 'release'? "
            "Valid: documentation, four_eyes, gates, monitoring, release, sign_offs",
        ),
        (
            "policy=defalt",
            "the command line: policy: policy has no option 'defalt'; did you mean 'default'? "
            "Valid: default; ",
        ),
        (
            "logical_model.schema.step=half",
            r"the command line: logical_model.schema.step: expected `str` matching regex "
            r"'^([1-9]\\d*)(min|h|D)$', got 'half'",
        ),
        (
            "seed",
            "the command line: 'seed' is not an override such as KEY=VALUE: "
            "Error parsing override 'seed'",
        ),
        (
            "plugins.disable=[acme]",
            "the command line: plugins.disable: plugin 'acme' is imported by now; disable it in "
            "the primary config.yaml, on the command line, or with LOOPCAST_DISABLE_PLUGINS",
        ),
    ],
)
def test_one_line_says_where_and_what_would_be_right(
    plugins: PluginManager, override: str, expected: str
) -> None:
    told = refused(plugins, override)
    assert told.startswith(expected)
    if not expected.endswith("; "):
        assert told == expected


def test_an_error_in_a_file_names_the_file(plugins: PluginManager, folder: Path) -> None:
    (folder / "engine" / "small.yaml").write_text("name: local\nwrokers: 3\n")
    assert refused(plugins, "engine=small", folder=folder) == (
        f"{folder}/engine/small.yaml: engine.wrokers: unknown key; did you mean 'workers'? "
        "Valid: address, name, timeout, workers"
    )


def test_an_error_in_a_plugins_file_names_it(site: Path) -> None:
    path = site / "fake_loopcast_acme" / "conf" / "data" / "town.yaml"
    path.write_text(DATA.replace("target: load", "target: 3"))
    assert refused(load(SHIPPED)) == (
        "fake_loopcast_acme.conf: data/town.yaml: data.table.target: expected `str`, got 3"
    )


def test_a_missing_value_names_the_file_that_lacks_it(plugins: PluginManager, folder: Path) -> None:
    (folder / "engine" / "small.yaml").write_text("name: local\n")
    assert refused(plugins, "engine=small", folder=folder) == (
        f"{folder}/engine/small.yaml: engine.workers: missing; expected `int`"
    )
    (folder / "engine" / "small.yaml").write_text("name: local\nworkers: ???\n")
    told = refused(plugins, "engine=small", folder=folder)
    assert told == f"{folder}/engine/small.yaml: engine.workers: Missing mandatory value: workers"


def test_a_file_that_is_not_yaml_names_file_and_line(plugins: PluginManager, folder: Path) -> None:
    (folder / "engine" / "small.yaml").write_text("name: local\nworkers: [1\n")
    told = refused(plugins, "engine=small", folder=folder)
    assert told.startswith("not YAML: while parsing a flow sequence in ")
    assert "engine/small.yaml" in told
    assert "line 2, column 10" in told


def test_a_folder_that_does_not_exist(plugins: PluginManager, tmp_path: Path) -> None:
    assert refused(plugins, folder=tmp_path / "no") == (
        f"the command line: configuration folder {tmp_path}/no does not exist"
    )


def test_the_same_option_twice_names_both(site: Path, folder: Path) -> None:
    (folder / "store" / "embedded.yaml").write_text("home: here\n")
    plugins = load(SHIPPED)
    assert refused(plugins, folder=folder) == (
        "store/embedded is offered by both conf/store/embedded.yaml and "
        f"{folder}/store/embedded.yaml; rename one of them"
    )
    (folder / "store" / "embedded.yaml").unlink()
    (folder / "template" / "acme.mean.yaml").write_text("name: acme.mean\n")
    assert refused(plugins, folder=folder) == (
        f"template/acme.mean is offered by both {folder}/template/acme.mean.yaml and "
        "the template acme.mean; rename one of them"
    )


def test_an_option_that_two_plugins_bring_names_both(site: Path) -> None:
    conf = '@hookimpl\ndef loopcast_conf(): return {"zed": "pkg://fake_loopcast_zed.conf"}'
    install(
        site, "zed", f"{HEADER}\n{conf}", files={"conf/template/steep.yaml": "name: acme.mean\n"}
    )
    plugins = load(SHIPPED)
    assert refused(plugins, "template=steep") == (
        "template/steep is offered by both fake_loopcast_acme.conf: template/steep.yaml and "
        "fake_loopcast_zed.conf: template/steep.yaml; rename one of them"
    )
    config.compose([TOWN_RUN], plugins=plugins)  # who does not use it is not disturbed


REFUSED = "refused: configuration names things, it cannot run code"


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("+engine._target_=os.system", "engine._target_"),
        (
            "+template.hyperparameters.mode2._target_=os.system",
            "template.hyperparameters.mode2._target_",
        ),
        ("+data.options.deep={a: [{_target_: os.system}]}", "data.options.deep.a.0._target_"),
        ("+engine._partial_=true", "engine._partial_"),
        ("+engine._args_=[ls]", "engine._args_"),
        (
            "+data.options.deep='${oc.create:\"{_target_: os.system}\"}'",
            "data.options.deep._target_",
        ),
    ],
)
def test_configuration_cannot_run_code(plugins: PluginManager, override: str, key: str) -> None:
    assert refused(plugins, override) == f"the command line: {key}: {REFUSED}"


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("+hydra.callbacks.a._target_=os.system", "hydra.callbacks.a._target_"),
        ("+hydra.launcher.deep={_target_: os.system}", "hydra.launcher.deep._target_"),
        ("+hydra.callbacks.a='${oc.create:\"{_target_: os.system}\"}'", "hydra.callbacks.a"),
    ],
)
@pytest.mark.parametrize("flags", [(), ("--multirun",), ("--cfg", "job")])
def test_hydras_own_configuration_cannot_run_code(
    plugins: PluginManager, override: str, key: str, flags: tuple[str, ...], loopcast_home: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.run([TOWN_RUN, override, *flags], plugins, unreachable)
    assert str(caught.value) == f"the command line: {key}: {REFUSED}"
    assert not loopcast_home.exists()


@pytest.mark.parametrize("override", ["hydra/job_logging=default", "hydra/hydra_logging=default"])
def test_logging_is_not_configured_by_names_of_classes(
    plugins: PluginManager, override: str
) -> None:
    with pytest.raises(ConfigurationError, match="refused: a run writes its own log"):
        config.run([TOWN_RUN, override], plugins, unreachable)


def unreachable(settings: RunSettings, directory: Path) -> None:
    raise AssertionError(f"ran {settings} in {directory}")


class Runs:
    """A job that remembers its calls."""

    def __init__(self) -> None:
        self.settings: list[RunSettings] = []
        self.directories: list[Path] = []

    def __call__(self, settings: RunSettings, directory: Path) -> None:
        assert directory.is_dir()
        logging.getLogger("job").info("seed %d", settings.seed)
        self.settings.append(settings)
        self.directories.append(directory)
        if settings.seed == 13:
            raise DataError("an unlucky seed")
        if settings.seed == 99:
            raise ZeroDivisionError("a bug")


def test_a_run_has_a_directory_of_its_own(
    plugins: PluginManager, loopcast_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = Runs()
    before = list(sys.argv), list(logging.getLogger().handlers), os.environ.get("HYDRA_FULL_ERROR")
    config.run([TOWN_RUN, "seed=3"], plugins, job)
    config.run([TOWN_RUN, "seed=4"], plugins, job)
    assert [settings.seed for settings in job.settings] == [3, 4]
    first, second = job.directories
    assert first != second
    assert first.parent == second.parent == loopcast_home / "runs" / "town"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{6}", first.name)
    assert (first / "run.log").read_text().endswith(" INFO job: seed 3\n")
    assert "seed: 3" in (first / ".hydra" / "config.yaml").read_text()
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    after = list(sys.argv), list(logging.getLogger().handlers), os.environ.get("HYDRA_FULL_ERROR")
    assert after == before
    assert not GlobalHydra.instance().is_initialized()
    assert not ConfigStore.instance().repo["template"]


def test_a_wrong_setting_leaves_no_directory(plugins: PluginManager, loopcast_home: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"template\.hyperparameters\.window"):
        config.run([TOWN_RUN, "template.hyperparameters.window=0"], plugins, unreachable)
    assert not loopcast_home.exists()


def test_an_error_of_the_job_is_its_own(
    plugins: PluginManager, capfd: pytest.CaptureFixture[str]
) -> None:
    job = Runs()
    with pytest.raises(DataError, match="an unlucky seed"):
        config.run([TOWN_RUN, "seed=13"], plugins, job)
    assert capfd.readouterr().err == ""
    assert (
        "ERROR loopcast.config.command: an unlucky seed"
        in (job.directories[0] / "run.log").read_text()
    )


def test_a_bug_keeps_its_traceback(plugins: PluginManager) -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"):
        config.run([TOWN_RUN, "seed=99"], plugins, Runs())


def test_a_multirun_goes_on_after_a_failed_job(
    plugins: PluginManager, loopcast_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = Runs()
    with pytest.raises(LoopcastError) as caught:
        config.run([TOWN_RUN, "--multirun", "seed=1,13,-2,4"], plugins, job)
    assert str(caught.value) == "failed jobs of the multirun: 1, 2"
    assert [settings.seed for settings in job.settings] == [1, 13, 4]
    assert capfd.readouterr().err.splitlines() == [
        "loopcast: job 1 (logical_model=town seed=13) failed: an unlucky seed",
        "loopcast: job 2 (logical_model=town seed=-2) failed: "
        "the command line: seed: expected `int` >= 0, got -2",
    ]
    [sweep] = (loopcast_home / "multiruns").iterdir()
    assert [path.name for path in job.directories] == ["0_town", "1_town", "3_town"]
    assert {path.parent for path in job.directories} == {sweep}


def test_a_multirun_over_templates(plugins: PluginManager) -> None:
    job = Runs()
    config.run([TOWN_RUN, "-m", "template=acme.mean,steep"], plugins, job)
    modes = [settings.template.hyperparameters["mode"] for settings in job.settings]
    assert modes == ["flat", "steep"]


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ("template=acme.mean,acme.maen", "the command line: template: template 'acme.maen' is not"),
        ("engine.wrokers=1,2", "the command line: engine.wrokers: unknown key; did you mean"),
        ("seed=x(", "the command line: 'seed=x(' is not an override such as KEY=VALUE: "),
    ],
)
def test_a_multirun_that_cannot_be_composed_runs_nothing(
    plugins: PluginManager, sweep: str, expected: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.run([TOWN_RUN, "--multirun", sweep], plugins, unreachable)
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


def test_a_sweep_needs_a_multirun(plugins: PluginManager) -> None:
    with pytest.raises(ConfigurationError, match="add --multirun to your command line"):
        config.run([TOWN_RUN, "seed=1,2"], plugins, unreachable)


def test_the_composed_configuration_is_printed(
    plugins: PluginManager, loopcast_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.run([TOWN_RUN, "--cfg", "job", "--package", "template"], plugins, unreachable)
    assert capsys.readouterr().out == (
        "# @package template\nname: acme.mean\nhyperparameters:\n  window: 7\n  weights:\n"
        "  - 0.5\n  - 0.5\n  mode: flat\n"
    )
    assert not loopcast_home.exists()


def test_help_lists_groups_options_and_examples(
    plugins: PluginManager, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        config.run([TOWN_RUN, "--help"], plugins, unreachable)
    assert caught.value.code == 0
    told = capsys.readouterr().out
    assert "job: predict, retrain, serve, train" in told
    assert "logical_model: nem_demand, town, victoria_demand" in told
    assert "template: acme.mean, acme.score, steep" in told
    assert "loopcast run --multirun template=A,B" in told


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--experimental-rerun=x", "it would unpickle a file"),
        ("--exp=x", "it would unpickle a file"),
        ("--config-path=/tmp", "add a folder with --config-dir"),
    ],
)
def test_flags_that_are_refused(plugins: PluginManager, flag: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        config.run([TOWN_RUN, flag], plugins, unreachable)


def test_flags_that_hydra_does_not_know(
    plugins: PluginManager, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        config.run(["--bogus"], plugins, unreachable)
    assert caught.value.code == 2
    assert "loopcast run: error: unrecognized arguments: --bogus" in capsys.readouterr().err


def test_a_primary_file_of_the_users_own(plugins: PluginManager, folder: Path) -> None:
    (folder / "nightly.yaml").write_text(
        "defaults: [config, override logical_model: town, _self_]\nseed: 11\n".replace(
            "override logical_model: town", "{override /logical_model: town}"
        )
    )
    job = Runs()
    config.run(["--config-dir", str(folder), "--config-name", "nightly"], plugins, job)
    assert job.settings[0].seed == 11


def test_the_environment_names_a_folder_unless_the_command_line_does(
    plugins: PluginManager, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "nightly.yaml").write_text("defaults: [config, _self_]\nseed: 11\n")
    monkeypatch.setenv("LOOPCAST_CONFIG_DIR", str(folder))
    job = Runs()
    config.run(["--config-name", "nightly", TOWN_RUN], plugins, job)
    assert job.settings[0].seed == 11
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(ConfigurationError, match="nightly"):
        config.run(
            ["--config-dir", str(elsewhere), "--config-name", "nightly", TOWN_RUN], plugins, job
        )


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


def test_a_job_may_compose(plugins: PluginManager) -> None:
    inner: list[int] = []

    def job(settings: RunSettings, directory: Path) -> None:
        assert directory.is_dir()
        composed = config.compose([TOWN_RUN, f"seed={settings.seed + 1}"], plugins=plugins)
        inner.append(composed.seed)

    config.run([TOWN_RUN, "--multirun", "seed=1,5"], plugins, job)
    assert inner == [2, 6]


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


def test_what_a_file_chooses_and_no_plugin_offers(plugins: PluginManager) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.compose(plugins=plugins)
    assert str(caught.value) == (
        "the defaults list of config: template: template 'forecasting.gam_arima' is not "
        "available: plugin 'forecasting' (loopcast-forecasting 0.1.0) is disabled"
    )


def test_flags_that_exclude_each_other(plugins: PluginManager) -> None:
    with pytest.raises(ConfigurationError, match="--multirun and --cfg exclude each other"):
        config.run([TOWN_RUN, "--multirun", "--cfg", "job"], plugins, unreachable)


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


def test_unknown_names_are_plugin_errors_outside_of_configuration(plugins: PluginManager) -> None:
    with pytest.raises(PluginError):
        plugins.template("no.such")
