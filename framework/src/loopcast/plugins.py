"""The plugin manager: finds plugins, keeps broken ones apart, and looks up what they offer.

Each plugin is loaded alone, in the order of names, into a pluggy manager of its own, so that
whatever is wrong with it stays with it. There is no global instance.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points, version
from types import ModuleType
from typing import Any, Literal, get_args

import msgspec
import pluggy

from loopcast.api import (
    CONTRACT,
    ENTRY_POINT_GROUP,
    Hooks,
    Hyperparameters,
    MetricDefinition,
    Name,
    PluginError,
    PluginOrigin,
    Reader,
    Reconciler,
    Record,
    Task,
    Template,
    TemplateName,
)

Status = Literal["loaded", "disabled", "broken"]
Kind = Literal["template", "reader", "reconciler", "metric"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class PluginInfo(Record, frozen=True):
    """What is known of one installed plugin.

    Attributes
    ----------
    name, package, version
        Of the entry point, and of the distribution that brings it.
    reason
        Why it is disabled or broken.
    offers
        Names by kind: ``template``, ``reader``, ``reconciler``, ``metric``, ``conf``. Empty for
        a plugin that was not imported or could not be asked.
    """

    name: str
    package: str
    version: str
    status: Status
    reason: str = ""
    offers: dict[str, tuple[str, ...]] = {}

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.package} {self.version})"


@dataclass(frozen=True)
class _Offers:
    """The things themselves, by kind and name; and folders of configuration by label."""

    things: dict[Kind, dict[str, Any]] = field(default_factory=dict)
    conf: dict[str, str] = field(default_factory=dict)

    def names(self) -> dict[str, tuple[str, ...]]:
        listed: dict[str, tuple[str, ...]] = {
            kind: tuple(things) for kind, things in self.things.items() if things
        }
        return {**listed, "conf": tuple(self.conf.values())} if self.conf else listed


class _BrokenError(Exception):
    """Why a plugin cannot be used; never leaves this module."""


class PluginManager:
    """What the installed plugins and the core itself offer.

    Make one with :meth:`load`.
    """

    def __init__(self, builtin: Sequence[tuple[PluginInfo, _Offers]] = ()) -> None:
        self._infos: dict[str, PluginInfo] = {}
        self._offers: dict[str, _Offers] = {}
        self._contested: dict[tuple[Kind, str], str] = {}
        self._builtin = frozenset(info.name for info, _ in builtin)
        for info, offers in builtin:
            self._infos[info.name], self._offers[info.name] = info, offers

    @classmethod
    def load(cls, disable: Iterable[str] = (), builtin: Iterable[ModuleType] = ()) -> PluginManager:
        """Find and load the installed plugins.

        Parameters
        ----------
        disable
            Names of plugins that are not imported.
        builtin
            Modules of the core that implement hooks.

        Raises
        ------
        PluginError
            When ``disable`` names a plugin that is not installed.
        """
        manager = cls([_load_builtin(module) for module in builtin])
        entries = sorted(entry_points(group=ENTRY_POINT_GROUP), key=_order)
        disabled = frozenset(disable)
        for name in sorted(disabled - {entry.name for entry in entries}):
            installed = {entry.name for entry in entries}
            raise PluginError(_unknown("plugin", name, installed, "cannot be disabled"))
        for entry in entries:
            manager._add(entry, disabled)
        return manager

    def _add(self, entry: EntryPoint, disabled: frozenset[str]) -> None:
        package, number = _distribution(entry)
        info = PluginInfo(name=entry.name, package=package, version=number, status="loaded")
        if entry.name in disabled:
            self._keep(_changed(info, status="disabled", reason="not imported"))
            return
        offers = _Offers()
        try:
            if entry.name in self._infos:
                raise _BrokenError(f"its name is taken by {self._infos[entry.name]}")
            offers = _load(entry)
            self._refuse_duplicates(info, offers)
        except _BrokenError as error:
            self._keep(_changed(info, status="broken", reason=str(error), offers=offers.names()))
        else:
            self._keep(_changed(info, offers=offers.names()))
            self._offers[info.name] = offers

    def _keep(self, info: PluginInfo) -> None:
        taken = info.name in self._infos
        self._infos[f"{info.name} ({info.package})" if taken else info.name] = info

    def _refuse_duplicates(self, info: PluginInfo, offers: _Offers) -> None:
        """The later of two plugins that offer a name is broken, and the name is neither's."""
        for kind, things in offers.things.items():
            for name in things:
                owner = self._owner(kind, name)
                if owner is not None:
                    both = f"{kind} {name!r} is offered by both {owner} and {info}"
                    if owner.name not in self._builtin:
                        self._contested[kind, name] = f"{both}; disable one of them"
                    raise _BrokenError(f"{both}; rename it, or disable one of them")

    def _owner(self, kind: Kind, name: str) -> PluginInfo | None:
        for plugin, offers in self._offers.items():
            if name in offers.things.get(kind, {}):
                return self._infos[plugin]
        return None

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """Every installed plugin, the core's own modules first, then by name."""
        return tuple(self._infos.values())

    def _all(self, kind: Kind) -> dict[str, Any]:
        """Things of a kind by name; contested names are left out."""
        return {
            name: thing
            for offers in self._offers.values()
            for name, thing in offers.things.get(kind, {}).items()
            if (kind, name) not in self._contested
        }

    def _get(self, kind: Kind, name: str) -> Any:
        things = self._all(kind)
        if name not in things:
            raise PluginError(self._why_not(kind, name, things))
        return things[name]

    def _why_not(self, kind: Kind, name: str, things: Iterable[str]) -> str:
        """Say why a name cannot be had: contested, unusable, or not known at all."""
        if (kind, name) in self._contested:
            return self._contested[kind, name]
        unusable = [info for info in self.plugins if info.status != "loaded"]
        for info in unusable:
            domain = name.partition(".")[0] if "." in name else None
            if name in info.offers.get(kind, ()) or info.name == domain:
                return f"{kind} {name!r} is not available: {info} is {_state(info)}"
        others = "".join(f"; {info} is {_state(info)}" for info in unusable)
        return _unknown(kind, name, things) + others

    def templates(self) -> dict[str, Template[Any, Any]]:
        """Every usable template by name."""
        return self._all("template")

    def template(self, name: str) -> Template[Any, Any]:
        """Return a template.

        Raises
        ------
        PluginError
            Naming the nearest template, or the plugin that cannot offer it and why.
        """
        template: Template[Any, Any] = self._get("template", name)
        return template

    def origin(self, template: str) -> PluginOrigin:
        """Return the package that provides a template.

        Raises
        ------
        PluginError
            As :meth:`template` does.
        """
        self.template(template)
        info = self._owner("template", template)
        assert info is not None
        return PluginOrigin(plugin=info.name, package=info.package, package_version=info.version)

    def readers(self) -> dict[str, Reader]:
        """Every usable reader by name."""
        return self._all("reader")

    def reader(self, name: str) -> Reader:
        """Return a reader; raise :class:`PluginError` as :meth:`template` does."""
        reader: Reader = self._get("reader", name)
        return reader

    def reconcilers(self) -> dict[str, Reconciler]:
        """Every usable reconciler by name."""
        return self._all("reconciler")

    def reconciler(self, name: str) -> Reconciler:
        """Return a reconciler; raise :class:`PluginError` as :meth:`template` does."""
        reconciler: Reconciler = self._get("reconciler", name)
        return reconciler

    def metrics(self, task: Task) -> tuple[MetricDefinition, ...]:
        """Every usable metric of a task, the core's own first."""
        return tuple(metric for metric in self._all("metric").values() if metric.task == task)

    def metric(self, name: str) -> MetricDefinition:
        """Return a metric; raise :class:`PluginError` as :meth:`template` does."""
        metric: MetricDefinition = self._get("metric", name)
        return metric

    def conf(self) -> tuple[tuple[str, str], ...]:
        """Folders of configuration: the plugin's name and a ``pkg://`` path."""
        return tuple(
            (plugin, path)
            for plugin, offers in self._offers.items()
            for path in offers.conf.values()
        )


def _order(entry: EntryPoint) -> tuple[str, str]:
    return entry.name, _distribution(entry)[0]


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    if entry.dist is None:
        return "unknown package", "?"
    return entry.dist.name, entry.dist.version


def _changed(info: PluginInfo, **changes: Any) -> PluginInfo:
    return msgspec.structs.replace(info, **changes)


def _state(info: PluginInfo) -> str:
    return "disabled" if info.status == "disabled" else f"broken: {info.reason}"


def _unknown(kind: str, name: str, valid: Iterable[str], problem: str = "is not known") -> str:
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{kind} {name!r} {problem}; {hint}Installed: {', '.join(names) or 'none'}"


def _load_builtin(module: ModuleType) -> tuple[PluginInfo, _Offers]:
    """Ask a module of the core; what is wrong with it is a bug of the core and is raised."""
    offers = _ask(module, module.__name__)
    info = PluginInfo(
        name=module.__name__,
        package="loopcast",
        version=version("loopcast"),
        status="loaded",
        offers=offers.names(),
    )
    return info, offers


def _load(entry: EntryPoint) -> _Offers:
    plugin = _attempt(f"import of {entry.value} failed", entry.load)
    _check_contract(getattr(plugin, "LOOPCAST_CONTRACT", None))
    return _ask(plugin, entry.name)


def _attempt(what: str, action: Callable[..., Any], *arguments: Any) -> Any:
    """Run a plugin's code; whatever it raises, even an exit, is the reason it is broken."""
    try:
        return action(*arguments)
    except (Exception, SystemExit) as error:
        lines = str(error).split("\n")
        raise _BrokenError(f"{what}: {type(error).__name__}: {lines[0]}") from error


def _check_contract(contract: object) -> None:
    """Refuse a plugin that was built for another contract than this core's."""
    core = ".".join(map(str, CONTRACT))
    try:
        major, minor = msgspec.convert(contract, tuple[int, int])
    except msgspec.ValidationError:
        raise _BrokenError(
            f"it does not say which hook contract it was built for; set "
            f"LOOPCAST_CONTRACT = {CONTRACT} in its module (found {contract!r})"
        ) from None
    if major != CONTRACT[0] or minor > CONTRACT[1]:
        newer = (major, minor) > CONTRACT
        raise _BrokenError(
            f"it was built for hook contract {major}.{minor}, and this core has {core}; "
            f"install a newer {'loopcast' if newer else 'version of the plugin'}"
        )


def _ask(plugin: Any, name: str) -> _Offers:
    """Validate the hook implementations of one plugin and call each of them once."""
    manager = pluggy.PluginManager(ENTRY_POINT_GROUP)
    manager.add_hookspecs(Hooks)
    _check_marked(manager, plugin)
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise _BrokenError(_hook_problem(str(error))) from error
    things = {kind: _named(manager, kind) for kind in KINDS}
    return _Offers(things=things, conf=_conf(manager))


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
            raise _BrokenError(f"{name} is not marked with @hookimpl of loopcast.api")


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
                raise _BrokenError(f"{hook} offers {kind} {thing.name!r} twice")
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
            raise _BrokenError(
                f"configuration {label!r} is {path!r}, expected pkg:// and an importable folder"
            )
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
    _require(callable(metric.rows), f"{metric.name}: rows cannot be called")


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise TypeError(problem)


_CHECKS: Mapping[Kind, Callable[[Any], None]] = {
    "template": _check_template,
    "reader": _check_reader,
    "reconciler": _check_reconciler,
    "metric": _check_metric,
}
