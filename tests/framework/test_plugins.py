"""The plugin manager: what works is offered, what is broken says why and stops nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from loopcast.api import LoopcastError, MetricDefinition, PluginError, hookimpl
from loopcast.plugins import PluginInfo, PluginManager

from .distributions import HEADER, SHIPPED, forget_fakes, install, offering, template

PREPARATION = """
@hookimpl
def loopcast_preparations(): return [Half()]

class Half:
    name, summary = "demo.half", "half of the rows"
    def assumptions(self, options): return "half is enough"
    def prepare(self, data, options, seed): return data
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    with forget_fakes():
        yield folder


def load(*disable: str, builtin: tuple[ModuleType, ...] = ()) -> PluginManager:
    return PluginManager.load((*SHIPPED, *disable), builtin)


def info(manager: PluginManager, name: str) -> PluginInfo:
    return next(found for found in manager.plugins if found.name == name)


def reason(site: Path, source: str, **files: str) -> str:
    """Why a plugin with this source is broken; a sound plugin beside it keeps working."""
    install(site, "sound", offering("sound.mean"))
    install(site, "wrong", source, files=files)
    manager = load()
    found = info(manager, "wrong")
    assert found.status == "broken"
    assert list(manager.templates()) == ["sound.mean"]
    assert "\n" not in found.reason
    return found.reason


def test_plugins_are_listed_by_name_with_their_package(site: Path) -> None:
    install(site, "zebra", offering("zebra.mean"), package="striped", version="0.3")
    install(site, "acme", offering("acme.mean"))
    manager = load()
    listed = [found for found in manager.plugins if found.name not in SHIPPED]
    assert listed == [
        PluginInfo(
            name="acme",
            package="loopcast-acme",
            version="1.2.3",
            status="loaded",
            offers={"template": ("acme.mean",)},
        ),
        PluginInfo(
            name="zebra",
            package="striped",
            version="0.3",
            status="loaded",
            offers={"template": ("zebra.mean",)},
        ),
    ]
    assert manager.template("acme.mean").name == "acme.mean"
    origin = manager.origin("zebra.mean")
    assert (origin.plugin, origin.package, origin.package_version) == ("zebra", "striped", "0.3")


EVERYTHING = f"""{HEADER}{template("all.mean")}
class Table:
    name, summary, options = "table", "a table", MeanParameters
    def read(self, options, base): ...
    def describe(self, options): ...

class Bottom:
    name, summary = "all.bottom", "bottom up"
    def fit(self, *arguments): ...

@hookimpl
def loopcast_templates(): return (Mean(),)
@hookimpl
def loopcast_readers(): return [Table()]
@hookimpl
def loopcast_reconcilers(): return [Bottom()]
@hookimpl
def loopcast_metrics():
    return [MetricDefinition(
        name="bias", title="bias", task="forecast", direction="lower", rows=abs)]
@hookimpl
def loopcast_gates():
    return [GateDefinition(name="calm", title="calm", options=MeanParameters, run=print)]
@hookimpl
def loopcast_conf(): return {{"all": "pkg://fake_loopcast_all.conf"}}
"""


def test_a_plugin_offers_all_kinds_of_things(site: Path) -> None:
    install(site, "all", EVERYTHING, files={"conf/__init__.py": ""})
    manager = load()
    assert info(manager, "all").offers == {
        "template": ("all.mean",),
        "reader": ("table",),
        "reconciler": ("all.bottom",),
        "metric": ("bias",),
        "gate": ("calm",),
        "conf": ("pkg://fake_loopcast_all.conf",),
    }
    assert manager.reader("table").summary == "a table"
    assert manager.reconciler("all.bottom").summary == "bottom up"
    assert [metric.name for metric in manager.metrics("forecast")] == ["bias"]
    assert manager.metrics("score") == ()
    assert manager.metric("bias").direction == "lower"
    assert manager.gate("calm").title == "calm"
    assert manager.conf() == (("all", "pkg://fake_loopcast_all.conf"),)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "import no_such_module",
            "import of fake_loopcast_wrong failed: ModuleNotFoundError: "
            "No module named 'no_such_module'",
        ),
        (
            "def (:",
            "import of fake_loopcast_wrong failed: "
            "SyntaxError: invalid syntax (__init__.py, line 1)",
        ),
        ("raise SystemExit(3)", "import of fake_loopcast_wrong failed: SystemExit: 3"),
        (
            "1 / 0",
            "import of fake_loopcast_wrong failed: ZeroDivisionError: division by zero",
        ),
        (
            "from loopcast.api import hookimpl",
            "it does not say which hook contract it was built for; "
            "set LOOPCAST_CONTRACT = (1, 1) in its module (found None)",
        ),
        (
            "LOOPCAST_CONTRACT = '1.0'",
            "it does not say which hook contract it was built for; "
            "set LOOPCAST_CONTRACT = (1, 1) in its module (found '1.0')",
        ),
        (
            "LOOPCAST_CONTRACT = (2, 0)",
            "it was built for hook contract 2.0, and this core has 1.1; install a newer loopcast",
        ),
        (
            "LOOPCAST_CONTRACT = (1, 7)",
            "it was built for hook contract 1.7, and this core has 1.1; install a newer loopcast",
        ),
        (
            "LOOPCAST_CONTRACT = (0, 9)",
            "it was built for hook contract 0.9, and this core has 1.1; "
            "install a newer version of the plugin",
        ),
        (
            f"{HEADER}\n@hookimpl\ndef loopcast_template(): return []",
            "unknown hook 'loopcast_template'; did you mean 'loopcast_templates'? "
            "Hooks: loopcast_templates, loopcast_preparations, loopcast_metrics, loopcast_gates, "
            "loopcast_readers, loopcast_reconcilers, loopcast_conf",
        ),
        (
            f"{HEADER}\n@hookimpl\ndef loopcast_templates(wrong): return []",
            "Plugin 'wrong' for hook 'loopcast_templates' hookimpl definition: "
            "loopcast_templates(wrong) Argument(s) {'wrong'} are declared in the hookimpl but "
            "can not be found in the hookspec",
        ),
        (
            f"{HEADER}\ndef loopcast_templates(): return []",
            "loopcast_templates is not marked with @hookimpl of loopcast.api",
        ),
        (
            f"{HEADER}\n@hookimpl\ndef loopcast_readers(): raise KeyError('x')",
            "loopcast_readers failed: KeyError: 'x'",
        ),
        (
            f"{HEADER}\n@hookimpl\ndef loopcast_readers(): return 3",
            "loopcast_readers did not return a sequence: TypeError: 'int' object is not iterable",
        ),
        (
            f"{HEADER}{PREPARATION}    options = int",
            "loopcast_preparations offers an unusable preparation: TypeError: demo.half: options "
            "is not a subclass of loopcast.api.Hyperparameters",
        ),
        (
            f"{HEADER}{PREPARATION}    options = Hyperparameters",
            "loopcast_preparations offers an unusable preparation: ValidationError: Expected "
            "`array`, got `str`",
        ),
        (
            f"{HEADER}\n@hookimpl\ndef loopcast_metrics(): return ['mape']",
            "loopcast_metrics offers an unusable metric: "
            "TypeError: 'mape' is not a MetricDefinition",
        ),
        (
            offering("mean"),
            "loopcast_templates offers an unusable template: ValidationError: Expected `str` "
            r"matching regex '^[a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*$'",
        ),
        (
            offering("wrong.mean").replace("int, msgspec.Meta(ge=1)] = 7", "int, 0]"),
            "loopcast_templates offers an unusable template: "
            "TypeError: Missing required argument 'window'",
        ),
        (
            offering("wrong.mean").replace("[Mean()]", "[Mean(), Mean()]"),
            "loopcast_templates offers template 'wrong.mean' twice",
        ),
        (
            f"{HEADER}\n@hookimpl\ndef loopcast_conf(): return {{'a': 'pkg://no_such_module'}}",
            "configuration 'a' is 'pkg://no_such_module', expected pkg:// and an importable folder",
        ),
        (
            f"{HEADER}\n@hookimpl\ndef loopcast_conf(): return {{'a': 'fake_loopcast_wrong'}}",
            "configuration 'a' is 'fake_loopcast_wrong', expected pkg:// and an importable folder",
        ),
    ],
)
def test_a_broken_plugin_says_why_and_stops_nothing(site: Path, source: str, expected: str) -> None:
    assert reason(site, source) == expected


def test_a_folder_of_configuration_is_a_package(site: Path) -> None:
    hook = "def loopcast_conf(): return {'a': 'pkg://fake_loopcast_wrong.conf'}"
    source = f"{HEADER}\n@hookimpl\n{hook}"
    assert reason(site, source, **{"conf/data/town.yaml": ""}) == (
        "configuration 'a': fake_loopcast_wrong.conf has no __init__.py; add one"
    )


def test_a_reader_needs_typed_options(site: Path) -> None:
    broken = EVERYTHING.replace('"a table", MeanParameters', '"a table", dict').replace("all", "x")
    assert reason(site, broken) == (
        "loopcast_readers offers an unusable reader: "
        "TypeError: table: options is not a subclass of loopcast.api.Hyperparameters"
    )


def test_a_disabled_plugin_is_not_imported(site: Path) -> None:
    module = install(site, "acme", "raise SystemExit('imported')")
    manager = load("acme")
    assert module not in sys.modules
    assert info(manager, "acme").status == "disabled"
    assert info(manager, "acme").version == "1.2.3"


def test_what_is_not_installed_cannot_be_disabled(site: Path) -> None:
    install(site, "acme", offering("acme.mean"))
    with pytest.raises(PluginError) as caught:
        load("acne")
    assert str(caught.value) == (
        "plugin 'acne' cannot be disabled; did you mean 'acme'? "
        "Installed: acme, credit, forecasting, recommender"
    )


def message(manager: PluginManager, template: str) -> str:
    with pytest.raises(PluginError) as caught:
        manager.template(template)
    return str(caught.value)


def test_an_unknown_name_is_answered_with_the_nearest(site: Path) -> None:
    install(site, "acme", offering("acme.mean"))
    install(site, "wrong", "import no_such_module")
    manager = load()
    assert message(manager, "acme.maen").startswith(
        "template 'acme.maen' is not known; did you mean 'acme.mean'? Installed: acme.mean; "
        "plugin 'credit' (loopcast-credit "
    )
    assert "plugin 'wrong' (loopcast-wrong 1.2.3) is broken: import of" in message(manager, "x.y")


def test_a_name_whose_plugin_is_not_installed_says_so(site: Path) -> None:
    install(site, "acme", offering("acme.mean"))
    manager = load()
    absent = "; no plugin 'zenith' is installed"
    assert f"is not known; Installed: acme.mean{absent}; " in message(manager, "zenith.gam")
    assert "no plugin" not in message(manager, "acme.maen")


def test_what_an_unusable_plugin_could_offer_names_it(site: Path) -> None:
    install(site, "acme", offering("acme.mean"))
    install(site, "wrong", "import no_such_module")
    manager = load("acme")
    assert message(manager, "acme.mean") == (
        "template 'acme.mean' is not available: plugin 'acme' (loopcast-acme 1.2.3) is disabled"
    )
    assert message(manager, "wrong.mean") == (
        "template 'wrong.mean' is not available: plugin 'wrong' (loopcast-wrong 1.2.3) is broken: "
        "import of fake_loopcast_wrong failed: ModuleNotFoundError: No module named "
        "'no_such_module'"
    )
    with pytest.raises(PluginError, match=r"'wrong\.mean' is not available"):
        manager.origin("wrong.mean")


def test_two_plugins_with_the_same_template_are_both_named(site: Path) -> None:
    install(site, "acme", offering("acme.mean"))
    both = f"""{HEADER}{template("acme.mean")}{template("later.mean", suffix="2")}
@hookimpl
def loopcast_templates(): return [Mean(), Mean2()]
"""
    install(site, "later", both)
    manager = load()
    told = (
        "template 'acme.mean' is offered by both plugin 'acme' (loopcast-acme 1.2.3) "
        "and plugin 'later' (loopcast-later 1.2.3); "
    )
    assert info(manager, "acme").status == "loaded"
    assert info(manager, "later").status == "broken"
    assert info(manager, "later").reason == f"{told}rename it, or disable one of them"
    assert message(manager, "acme.mean") == f"{told}disable one of them"
    assert message(manager, "later.mean").startswith(
        "template 'later.mean' is not available: plugin 'later' (loopcast-later 1.2.3) is broken: "
    )
    assert load("later").template("acme.mean").name == "acme.mean"


def test_two_packages_with_the_same_plugin_name(site: Path) -> None:
    install(site, "acme", offering("acme.mean"), package="first")
    install(site, "acme", offering("acme.other"), package="second")
    found = [plugin for plugin in load().plugins if plugin.name == "acme"]
    assert [(plugin.package, plugin.status) for plugin in found] == [
        ("first", "loaded"),
        ("second", "broken"),
    ]
    assert found[1].reason == "its name is taken by plugin 'acme' (first 1.2.3)"


def core() -> ModuleType:
    """A module of the core with a metric."""
    module = ModuleType("loopcast.measures")

    @hookimpl
    def loopcast_metrics() -> list[MetricDefinition]:
        return [
            MetricDefinition(
                name="bias", title="of the core", task="forecast", direction="lower", rows=abs
            )
        ]

    module.loopcast_metrics = loopcast_metrics  # type: ignore[attr-defined]
    return module


def test_the_core_keeps_its_names(site: Path) -> None:
    install(site, "all", EVERYTHING, files={"conf/__init__.py": ""})
    manager = load(builtin=(core(),))
    assert manager.plugins[0].name == "loopcast.measures"
    assert manager.metric("bias").title == "of the core"
    assert info(manager, "all").reason.startswith(
        "metric 'bias' is offered by both plugin 'loopcast.measures' (loopcast "
    )


def test_a_fault_of_the_core_is_raised() -> None:
    module = core()
    module.loopcast_metrics = 3  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="not marked") as caught:
        load(builtin=(module,))
    assert not isinstance(caught.value, LoopcastError)
