"""What a run and a multirun do, and their flags."""

from __future__ import annotations

import logging
import os
import re
import sys
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra

from loopcast import config
from loopcast.api import ConfigurationError, DataError, LoopcastError, StoreError
from loopcast.plugins import PluginManager
from loopcast.settings import RunSettings

from .town import TOWN_RUN, unreachable


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


@pytest.mark.parametrize(
    "url", ["postgresql://ann:secret@host/name", "postgresql://host/name?user=ann&password=secret"]
)
def test_a_password_that_stands_in_the_configuration_is_kept_nowhere(
    plugins: PluginManager, loopcast_home: Path, url: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        config.run([TOWN_RUN, f"store.catalog='{url}'"], plugins, unreachable)
    assert str(error.value) == (
        "the command line: store.catalog: the URL holds a password, which each run folder would "
        "keep; give the URL in LOOPCAST_CATALOG_URL, or the password in PGPASSWORD or ~/.pgpass"
    )
    assert not loopcast_home.exists()


@pytest.mark.parametrize("store", ["embedded", "server"])
def test_stores_are_where_the_environment_says_and_no_run_folder_says_where(
    plugins: PluginManager, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.setenv("LOOPCAST_CATALOG_URL", "postgresql://ann:secret@host/name")
    monkeypatch.setenv("LOOPCAST_ARTIFACTS_URL", "s3://bucket/artifacts")
    monkeypatch.setenv("LOOPCAST_EVENTS_URL", "s3://bucket/events")
    job = Runs()
    config.run([TOWN_RUN, f"store={store}"], plugins, job)
    found = job.settings[0].store
    assert (found.catalog, found.artifacts, found.events) == (
        "postgresql://ann:secret@host/name",
        "s3://bucket/artifacts",
        "s3://bucket/events",
    )
    kept = [file.read_text() for file in job.directories[0].rglob("*") if file.is_file()]
    assert len(kept) > 2
    assert not any("secret" in text for text in kept)


def test_a_directory_that_cannot_be_written_is_one_sentence(
    plugins: PluginManager, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file/run"
    with pytest.raises(StoreError) as error:
        config.run([TOWN_RUN, f"hydra.run.dir={folder}"], plugins, unreachable)
    assert str(error.value) == f"could not write the run folder {folder}: Not a directory"


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


@pytest.mark.parametrize(("flags", "sweeps"), [([], True), (["--run"], False)])
def test_a_file_asks_for_a_multirun_unless_the_command_line_asks_for_a_run(
    plugins: PluginManager, folder: Path, flags: list[str], sweeps: bool
) -> None:
    (folder / "swept.yaml").write_text(
        "defaults: [config, {override /logical_model: town}, _self_]\nhydra: {mode: MULTIRUN}\n"
    )
    job = Runs()
    config.run(["--config-dir", str(folder), "--config-name", "swept", *flags], plugins, job)
    [directory] = job.directories
    assert (directory.parent.parent.name == "multiruns") is sweeps
    assert (
        "mode: " + ("MULTIRUN" if sweeps else "RUN")
        in (directory / ".hydra" / "hydra.yaml").read_text()
    )


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
    assert "job: night, predict, retrain, serve, train" in told
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


def test_a_job_may_compose(plugins: PluginManager) -> None:
    inner: list[int] = []

    def job(settings: RunSettings, directory: Path) -> None:
        assert directory.is_dir()
        composed = config.compose([TOWN_RUN, f"seed={settings.seed + 1}"], plugins=plugins)
        inner.append(composed.seed)

    config.run([TOWN_RUN, "--multirun", "seed=1,5"], plugins, job)
    assert inner == [2, 6]


def test_flags_that_exclude_each_other(plugins: PluginManager) -> None:
    with pytest.raises(ConfigurationError, match="--multirun and --cfg exclude each other"):
        config.run([TOWN_RUN, "--multirun", "--cfg", "job"], plugins, unreachable)
