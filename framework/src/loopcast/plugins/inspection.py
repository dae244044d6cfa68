"""One plugin by itself: its contract, its hooks, and the checks of what it offers.

It is registered with a pluggy manager of its own, so that whatever is wrong with it stays with
it.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Any, Literal, get_args

import msgspec
import pluggy

from loopcast.api import (
    CONTRACT,
    ENTRY_POINT_GROUP,
    GateDefinition,
    Hooks,
    Hyperparameters,
    MetricDefinition,
    Name,
    Task,
    TemplateName,
)

Kind = Literal["template", "preparation", "reader", "reconciler", "metric", "gate"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Offers:
    """The things themselves, by kind and name; and folders of configuration by label."""

    things: dict[Kind, dict[str, Any]] = field(default_factory=dict)
    conf: dict[str, str] = field(default_factory=dict)

    def names(self) -> dict[str, tuple[str, ...]]:
        """Return the names by kind, of kinds that there are any of."""
        listed: dict[str, tuple[str, ...]] = {
            kind: tuple(things) for kind, things in self.things.items() if things
        }
        return {**listed, "conf": tuple(self.conf.values())} if self.conf else listed


class BrokenError(Exception):
    """Why a plugin cannot be used; turned into the reason of its record."""


def load(entry: EntryPoint) -> Offers:
    """Import a plugin and ask what it offers.

    Raises
    ------
    BrokenError
        With the reason in one line.
    """
    plugin = _attempt(f"import of {entry.value} failed", entry.load)
    _check_contract(getattr(plugin, "LOOPCAST_CONTRACT", None))
    return ask(plugin, entry.name)


def _attempt(what: str, action: Callable[..., Any], *arguments: Any) -> Any:
    """Run a plugin's code; whatever it raises, even an exit, is the reason it is broken."""
    try:
        return action(*arguments)
    except (Exception, SystemExit) as error:
        lines = str(error).split("\n")
        raise BrokenError(f"{what}: {type(error).__name__}: {lines[0]}") from error


def _check_contract(contract: object) -> None:
    """Refuse a plugin that was built for another contract than this core's."""
    core = ".".join(map(str, CONTRACT))
    try:
        major, minor = msgspec.convert(contract, tuple[int, int])
    except msgspec.ValidationError:
        raise BrokenError(
            f"it does not say which hook contract it was built for; set "
            f"LOOPCAST_CONTRACT = {CONTRACT} in its module (found {contract!r})"
        ) from None
    if major != CONTRACT[0] or minor > CONTRACT[1]:
        newer = (major, minor) > CONTRACT
        raise BrokenError(
            f"it was built for hook contract {major}.{minor}, and this core has {core}; "
            f"install a newer {'loopcast' if newer else 'version of the plugin'}"
        )


def ask(plugin: Any, name: str) -> Offers:
    """Validate the hook implementations of one plugin and call each of them once."""
    manager = pluggy.PluginManager(ENTRY_POINT_GROUP)
    manager.add_hookspecs(Hooks)
    _check_marked(manager, plugin)
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise BrokenError(_hook_problem(str(error))) from error
    things = {kind: _named(manager, kind) for kind in KINDS}
    return Offers(things=things, conf=_conf(manager))


def _hook_names() -> list[str]:
    return [name for name in vars(Hooks) if name.startswith("loopcast_")]


def _hook_problem(message: str) -> str:
    """One line of pluggy's message, with the nearest hook where one was misspelt."""
    line = " ".join(message.split())
    words = [word.strip("'\"") for word in line.split()]
    unknown = next((word for word in words if word.startswith("loopcast_")), "")
    if not line.startswith("unknown hook"):
        return line
    near = difflib.get_close_matches(unknown, _hook_names(), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown hook {unknown!r}; {hint}Hooks: {', '.join(_hook_names())}"


def _check_marked(manager: pluggy.PluginManager, plugin: Any) -> None:
    """A hook's function without the marker would be ignored in silence."""
    for name in _hook_names():
        if hasattr(plugin, name) and manager.parse_hookimpl_opts(plugin, name) is None:
            raise BrokenError(f"{name} is not marked with @hookimpl of loopcast.api")


def _call(manager: pluggy.PluginManager, hook: str) -> list[Any]:
    """Results of the plugin's implementation: none, or one."""
    return list(_attempt(f"{hook} failed", getattr(manager.hook, hook)))


def _named(manager: pluggy.PluginManager, kind: Kind) -> dict[str, Any]:
    hook = f"loopcast_{kind}s"
    named: dict[str, Any] = {}
    for result in _call(manager, hook):
        for thing in _attempt(f"{hook} did not return a sequence", list, result):
            _attempt(f"{hook} offers an unusable {kind}", _CHECKS[kind], thing)
            if thing.name in named:
                raise BrokenError(f"{hook} offers {kind} {thing.name!r} twice")
            named[thing.name] = thing
    return named


def _conf(manager: pluggy.PluginManager) -> dict[str, str]:
    folders: dict[str, str] = {}
    for result in _call(manager, "loopcast_conf"):
        folders |= _attempt("loopcast_conf did not return a mapping", dict, result)
    for label, path in folders.items():
        package = str(path).removeprefix("pkg://").replace("/", ".")
        found = _attempt(f"configuration {label!r}", importlib.util.find_spec, package)
        if found is None or not path.startswith("pkg://"):
            raise BrokenError(
                f"configuration {label!r} is {path!r}, expected pkg:// and an importable folder"
            )
        if found.origin is None:  # a folder that newer versions of Python list nothing of
            raise BrokenError(f"configuration {label!r}: {package} has no __init__.py; add one")
    return folders


def _check_template(template: Any) -> None:
    msgspec.convert(template.name, TemplateName)
    msgspec.convert(template.task, Task)
    msgspec.convert(template.summary, str)
    _require(
        callable(template.fit) and callable(template.load),
        f"{template.name}: fit or load cannot be called",
    )
    kind = template.hyperparameters
    _require(
        isinstance(kind, type) and issubclass(kind, Hyperparameters),
        f"{template.name}: hyperparameters is not a subclass of loopcast.api.Hyperparameters",
    )
    msgspec.to_builtins(kind())  # every field has a default, and it is plain data


def _check_preparation(preparation: Any) -> None:
    msgspec.convert(preparation.name, TemplateName)
    msgspec.convert(preparation.summary, str)
    _require(callable(preparation.prepare), f"{preparation.name}: prepare cannot be called")
    kind = preparation.options
    _require(
        isinstance(kind, type) and issubclass(kind, Hyperparameters),
        f"{preparation.name}: options is not a subclass of loopcast.api.Hyperparameters",
    )
    # Every option has a default, and it is plain data.
    msgspec.to_builtins(kind())
    msgspec.convert(preparation.assumptions(kind()), tuple[str, ...])


def _check_reader(reader: Any) -> None:
    msgspec.convert(reader.name, Name)
    _require(
        callable(reader.read) and callable(reader.describe),
        f"{reader.name}: read or describe cannot be called",
    )
    _require(
        isinstance(reader.options, type) and issubclass(reader.options, msgspec.Struct),
        f"{reader.name}: options is not a subclass of loopcast.api.Hyperparameters",
    )


def _check_reconciler(reconciler: Any) -> None:
    msgspec.convert(reconciler.name, TemplateName)
    _require(callable(reconciler.fit), f"{reconciler.name}: fit cannot be called")


def _check_metric(metric: Any) -> None:
    _require(isinstance(metric, MetricDefinition), f"{metric!r:.60} is not a MetricDefinition")
    msgspec.convert(metric.name, Name)
    way = metric.rows or metric.whole or metric.bind
    _require(callable(way), f"{metric.name}: none of rows, whole and bind is callable")


def _check_gate(gate: Any) -> None:
    _require(isinstance(gate, GateDefinition), f"{gate!r:.60} is not a GateDefinition")
    msgspec.convert(gate.name, Name)
    _require(callable(gate.run), f"{gate.name}: run cannot be called")
    _require(
        isinstance(gate.options, type) and issubclass(gate.options, Hyperparameters),
        f"{gate.name}: options is not a subclass of loopcast.api.Hyperparameters",
    )
    msgspec.to_builtins(gate.options())  # every option has a default, and it is plain data


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise TypeError(problem)


_CHECKS: Mapping[Kind, Callable[[Any], None]] = {
    "template": _check_template,
    "preparation": _check_preparation,
    "reader": _check_reader,
    "reconciler": _check_reconciler,
    "metric": _check_metric,
    "gate": _check_gate,
}
