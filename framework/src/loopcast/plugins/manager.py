"""The plugin manager: finds plugins, keeps broken ones apart, and looks up what they offer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points, version
from types import ModuleType
from typing import Any, Literal

import msgspec

from loopcast.api import (
    ENTRY_POINT_GROUP,
    GateDefinition,
    LogicalModel,
    MetricDefinition,
    PluginError,
    PluginOrigin,
    Preparation,
    Reader,
    Reconciler,
    Record,
    Task,
    Template,
)
from loopcast.plugins.inspection import BrokenError, Kind, Offers, ask, load

Status = Literal["loaded", "disabled", "broken"]


class PluginInfo(Record, frozen=True):
    """What is known of one installed plugin.

    Attributes
    ----------
    name, package, version
        Of the entry point, and of the distribution that brings it.
    reason
        Why it is disabled or broken.
    offers
        Names by kind: ``template``, ``preparation``, ``reader``, ``reconciler``, ``metric``,
        ``gate``, ``conf``. Empty for a plugin that was not imported or could not be asked.
    """

    name: str
    package: str
    version: str
    status: Status
    reason: str = ""
    offers: dict[str, tuple[str, ...]] = {}

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.package} {self.version})"


class PluginManager:
    """What the installed plugins and the core itself offer.

    Make one with :meth:`load`.
    """

    def __init__(self, builtin: Sequence[tuple[PluginInfo, Offers]] = ()) -> None:
        self._infos: dict[str, PluginInfo] = {}
        self._offers: dict[str, Offers] = {}
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
        offers = Offers()
        try:
            if entry.name in self._infos:
                raise BrokenError(f"its name is taken by {self._infos[entry.name]}")
            offers = load(entry)
            self._refuse_duplicates(info, offers)
        except BrokenError as error:
            self._keep(_changed(info, status="broken", reason=str(error), offers=offers.names()))
        else:
            self._keep(_changed(info, offers=offers.names()))
            self._offers[info.name] = offers

    def _keep(self, info: PluginInfo) -> None:
        taken = info.name in self._infos
        self._infos[f"{info.name} ({info.package})" if taken else info.name] = info

    def _refuse_duplicates(self, info: PluginInfo, offers: Offers) -> None:
        """The later of two plugins that offer a name is broken, and the name is neither's."""
        offered = ((kind, name) for kind, things in offers.things.items() for name in things)
        for kind, name in offered:
            owner = self._owner(kind, name)
            if owner is None:
                continue
            both = f"{kind} {name!r} is offered by both {owner} and {info}"
            if owner.name not in self._builtin:
                self._contested[kind, name] = f"{both}; disable one of them"
            raise BrokenError(f"{both}; rename it, or disable one of them")

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
        domain = name.partition(".")[0] if "." in name else None
        for info in self._unusable():
            if name in info.offers.get(kind, ()) or info.name == domain:
                return f"{kind} {name!r} is not available: {info} is {_state(info)}"
        none = domain is not None and not any(thing.startswith(f"{domain}.") for thing in things)
        absent = (
            f"; no plugin {domain!r} is installed" if none and domain not in self._infos else ""
        )
        return _unknown(kind, name, things) + absent + self.unusable()

    def _unusable(self) -> list[PluginInfo]:
        return [info for info in self.plugins if info.status != "loaded"]

    def unusable(self) -> str:
        """Name the disabled and broken plugins, to end a message on what is not there."""
        return "".join(f"; {info} is {_state(info)}" for info in self._unusable())

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

    def origin(self, name: str, kind: Kind = "template") -> PluginOrigin:
        """Return the package that provides a template, or another kind of thing.

        Raises
        ------
        PluginError
            As :meth:`template` does.
        """
        self._get(kind, name)
        info = self._owner(kind, name)
        assert info is not None
        return PluginOrigin(plugin=info.name, package=info.package, package_version=info.version)

    def preparations(self) -> dict[str, Preparation]:
        """Every usable preparation by name."""
        return self._all("preparation")

    def preparation(self, name: str) -> Preparation:
        """Return a preparation; raise :class:`PluginError` as :meth:`template` does."""
        preparation: Preparation = self._get("preparation", name)
        return preparation

    def reader(self, name: str) -> Reader:
        """Return a reader; raise :class:`PluginError` as :meth:`template` does."""
        reader: Reader = self._get("reader", name)
        return reader

    def reconciler(self, name: str) -> Reconciler:
        """Return a reconciler; raise :class:`PluginError` as :meth:`template` does."""
        reconciler: Reconciler = self._get("reconciler", name)
        return reconciler

    def metrics(self, task: Task) -> tuple[MetricDefinition, ...]:
        """Every usable metric of a task, the core's own first."""
        return tuple(metric for metric in self._all("metric").values() if metric.task == task)

    def metrics_of(self, model: LogicalModel) -> tuple[MetricDefinition, ...]:
        """Every usable metric that applies to a logical model, the core's own first."""
        found = (m if m.bind is None else m.bind(model) for m in self.metrics(model.task))
        return tuple(metric for metric in found if metric is not None)

    def kpi_title(self, model: LogicalModel) -> str:
        """Return what the KPI of a logical model is called, without its unit."""
        titles = {metric.name: metric.title for metric in self.metrics_of(model)}
        return titles.get(model.kpi.metric, model.kpi.metric).partition(", ")[0]

    def metric(self, name: str) -> MetricDefinition:
        """Return a metric; raise :class:`PluginError` as :meth:`template` does."""
        metric: MetricDefinition = self._get("metric", name)
        return metric

    def gate(self, name: str) -> GateDefinition:
        """Return a gate; raise :class:`PluginError` as :meth:`template` does."""
        gate: GateDefinition = self._get("gate", name)
        return gate

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


def _load_builtin(module: ModuleType) -> tuple[PluginInfo, Offers]:
    """Ask a module of the core; what is wrong with it is a bug of the core and is raised."""
    offers = ask(module, module.__name__)
    info = PluginInfo(
        name=module.__name__,
        package="loopcast",
        version=version("loopcast"),
        status="loaded",
        offers=offers.names(),
    )
    return info, offers
