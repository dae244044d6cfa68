"""What is refused: one line says where, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopcast import config
from loopcast.api import ConfigurationError, PluginError
from loopcast.plugins import PluginManager
from loopcast.settings import RunSettings

from ..distributions import HEADER, SHIPPED, install
from .town import DATA, TOWN_RUN, load, refused, unreachable

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
            "the command line: enigne: unknown key; did you mean 'engine'? Valid: "
            + ", ".join(sorted(RunSettings.__struct_fields__)),
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
    files = {"conf/__init__.py": "", "conf/template/steep.yaml": "name: acme.mean\n"}
    install(site, "zed", f"{HEADER}\n{conf}", files=files)
    plugins = load(SHIPPED)
    assert refused(plugins, "template=steep") == (
        "template/steep is offered by both fake_loopcast_acme.conf: template/steep.yaml and "
        "fake_loopcast_zed.conf: template/steep.yaml; rename one of them"
    )
    config.compose([TOWN_RUN], plugins=plugins)  # who does not use it is not disturbed


def test_what_a_file_chooses_and_no_plugin_offers(plugins: PluginManager) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.compose(plugins=plugins)
    assert str(caught.value) == (
        "the defaults list of config: template: template 'forecasting.gam_arima' is not "
        "available: plugin 'forecasting' (loopcast-forecasting 0.1.0) is disabled"
    )


def test_unknown_names_are_plugin_errors_outside_of_configuration(plugins: PluginManager) -> None:
    with pytest.raises(PluginError):
        plugins.template("no.such")


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
