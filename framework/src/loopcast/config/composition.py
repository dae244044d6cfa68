"""Composition: from YAML, plugins and overrides to the typed settings of a run."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from loopcast.api import ConfigurationError
from loopcast.config.lookup import look_up
from loopcast.config.provenance import COMMAND_LINE, CONF, refuse_ambiguous, translated, where
from loopcast.plugins import PluginManager
from loopcast.settings import RunSettings, SettingError, parse

PRIMARY = "config"
VERSION_BASE = "1.3"
_PASSWORD = re.compile(r"(://[^/?@:]*:|[?&]password=)(?!\$\{)[^/?@]")
"""A password in a URL, unless it is taken from elsewhere: ``${oc.env:…}``."""
# What Hydra would read as an order to import and call something.
_CODE_KEYS = frozenset({"_target_", "_partial_", "_args_", "_recursive_", "_convert_"})
_REFUSED = "refused: configuration names things, it cannot run code"
# Launcher and sweeper: Hydra takes classes of packages made for it alone. The others repeat what
# the command line said.
_HYDRAS_OWN = frozenset(
    {"hydra.launcher._target_", "hydra.sweeper._target_", "hydra.overrides", "hydra.job"}
)

_Offered = Literal["template", "preparation"]
_OFFERED: tuple[_Offered, ...] = get_args(_Offered)
"""Groups of configuration whose options plugins offer from their code."""

_LOCK = threading.RLock()  # Hydra keeps its state in singletons
_SEARCH_PATH: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("search path", default=())


def compose(
    overrides: Sequence[str] = (), *, plugins: PluginManager, folder: Path | None = None
) -> RunSettings:
    """Compose the settings of a run without running it.

    Parameters
    ----------
    overrides
        As on the command line: ``["logical_model=nem_demand", "seed=7"]``.
    plugins
        Provide templates, readers and configuration.
    folder
        A folder of configuration beside loopcast's and the plugins' own.

    Raises
    ------
    ConfigurationError
        One line: the file or the command line, the dotted key, what was expected, and the
        nearest valid name.
    """
    with hydra_session(plugins, folder), composed(overrides, plugins) as config:
        return settings_of(config, config.hydra, plugins)


@contextmanager
def hydra_session(plugins: PluginManager, folder: Path | None = None) -> Iterator[None]:
    """Make Hydra's singletons know this manager's configuration, and forget it afterwards."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    if folder is not None and not folder.is_dir():
        raise ConfigurationError(f"{COMMAND_LINE}: configuration folder {folder} does not exist")
    _register_search_path()
    OmegaConf.register_new_resolver("cores", _cores, replace=True)
    paths = plugins.conf()
    if folder is not None:
        paths += ((f"folder {folder}", f"file://{folder.resolve()}"),)
    with _LOCK:
        GlobalHydra.instance().clear()
        repository = ConfigStore.instance().repo
        outer: dict[str, Any] = {group: repository.get(group, {}) for group in _OFFERED}
        token = _SEARCH_PATH.set(paths)
        repository.update({group: {} for group in _OFFERED})
        try:
            _store_offers(plugins)
            yield
        finally:
            repository.update(outer)
            _SEARCH_PATH.reset(token)


@cache
def _register_search_path() -> None:
    """Register the one search path plugin, by which plugins' folders become visible."""
    from hydra.core.plugins import Plugins
    from hydra.plugins.search_path_plugin import SearchPathPlugin

    class LoopcastSearchPath(SearchPathPlugin):
        def manipulate_search_path(self, search_path: Any) -> None:
            for provider, path in _SEARCH_PATH.get():
                search_path.append(provider, path)

    Plugins.instance().register(LoopcastSearchPath)


def _cores() -> int:
    """Cores that this process may use, by affinity and container limits."""
    import joblib

    return int(joblib.cpu_count())


def _store_offers(plugins: PluginManager) -> None:
    """Offer templates and preparations with their defaults."""
    for name, template in plugins.templates().items():
        defaults = msgspec.to_builtins(template.hyperparameters())
        _store(plugins, "template", {"name": name, "hyperparameters": defaults})
    for name, preparation in plugins.preparations().items():
        defaults = msgspec.to_builtins(preparation.options())
        _store(plugins, "preparation", {"name": name, "options": defaults})


def _store(plugins: PluginManager, group: _Offered, node: dict[str, Any]) -> None:
    """Offer a node of a group under its name, unless its own plugin brings a file for it."""
    from hydra.core.config_store import ConfigStore

    name = node["name"]
    owner = plugins.origin(name, group).plugin
    own = [path for plugin, path in plugins.conf() if plugin == owner]
    if not any(_resource(path, f"{group}/{name}.yaml").is_file() for path in own):
        ConfigStore.instance().store(name, node, group=group, provider=owner)


def _resource(path: str, name: str) -> Any:
    return files(path.removeprefix("pkg://").replace("/", ".")).joinpath(name)


@contextmanager
def composed(
    overrides: Sequence[str], plugins: PluginManager, primary: str = PRIMARY
) -> Iterator[Any]:
    """Compose; within the context Hydra's resolvers see the configuration."""
    import hydra
    from hydra.core.hydra_config import HydraConfig

    singleton = HydraConfig.instance()
    outer = singleton.cfg
    with (
        translated(plugins, overrides),
        hydra.initialize_config_module(CONF, job_name="run", version_base=VERSION_BASE),
    ):
        config = _compose(list(overrides), plugins, primary)
        singleton.set_config(config)
        try:
            yield config
        finally:
            singleton.cfg = outer


def _compose(overrides: list[str], plugins: PluginManager, primary: str) -> Any:
    import hydra
    from hydra.errors import ConfigCompositionException

    try:
        with warnings.catch_warnings():
            # Two sources of one option; where it is chosen, that is an error of ours.
            warnings.filterwarnings("ignore", message=r"(?s).*validated against ConfigStore schema")
            return hydra.compose(primary, overrides, return_hydra_config=True)
    except ConfigCompositionException as error:
        key = re.match(r"Could not override '([^']+)'\.\s", str(error))
        wrong = [text for text in overrides if key and text.startswith(f"{key[1]}=")]
        if key is None or not wrong:
            raise
    # The typed settings know better than Hydra what would be right: add the key, and look.
    config = _compose([f"+{x}" if x in wrong else x for x in overrides], plugins, primary)
    settings_of(config, config.hydra, plugins)
    raise ConfigurationError(
        f"{COMMAND_LINE}: {key[1]}: not in the composed configuration; add it with +{wrong[0]}"
    )


def settings_of(config: Any, hydra: Any, plugins: PluginManager) -> RunSettings:
    """Make typed settings, with every name looked up and every default filled in."""
    refuse_ambiguous(hydra)
    try:
        plain = _plain(config)
        _refuse_keys(plain)
        return look_up(parse(plain), plugins)
    except SettingError as error:
        raise ConfigurationError(f"{where(error.key, hydra)}: {error}") from None


def plain_settings(config: Any, part: str) -> Any:
    """Return one part of the configuration as plain data, in which nothing could be code."""
    plain = _plain({part: config[part]})
    _refuse_keys(plain)
    return plain[part]


def _plain(config: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    def plain(value: Any) -> Any:
        if not OmegaConf.is_config(value):
            return value
        return OmegaConf.to_container(value, resolve=True, throw_on_missing=True)

    try:
        return {str(key): plain(config[key]) for key in config if key != "hydra"}
    except OmegaConfBaseException as error:
        said = str(error).split("\n", 1)[0].rpartition("while resolving interpolation: ")[2]
        raise SettingError(str(error.full_key or ""), said.strip('"')) from None


def _refuse_passwords(store: Any) -> None:
    """Refuse URLs of stores that hold a password where it stands: each run folder would keep it."""
    for name, value in _items(store):
        if isinstance(value, str) and _PASSWORD.search(value):
            raise SettingError(
                f"store.{name}",
                "the URL holds a password, which each run folder would keep; give the URL in "
                f"LOOPCAST_{str(name).upper()}_URL, or the password in PGPASSWORD or ~/.pgpass",
            )


def _refuse_keys(value: Any, key: str = "", allowed: Container[str] = ()) -> None:
    """Refuse what Hydra could take for code, at any depth."""
    if isinstance(value, str) and "_target_" in value:
        raise SettingError(key, _REFUSED)
    for name, item in _items(value):
        dotted = f"{key}.{name}" if key else str(name)
        if dotted not in allowed:
            if name in _CODE_KEYS:
                raise SettingError(dotted, _REFUSED)
            _refuse_keys(item, dotted, allowed)


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, list):
        return enumerate(value)
    return value.items() if isinstance(value, dict) else ()


def refuse_unsafe(config: Any) -> None:
    """Refuse code, in Hydra's own settings too, and passwords, before Hydra acts on them."""
    from omegaconf import OmegaConf

    try:
        written: Any = OmegaConf.to_container(config, resolve=False)
        _refuse_keys(written, allowed=_HYDRAS_OWN)
        _refuse_passwords(written.get("store"))
        if config.hydra.callbacks:
            raise SettingError("hydra.callbacks", _REFUSED)
        for name in ("job_logging", "hydra_logging"):
            if config.hydra[name].root is not None:
                raise SettingError(f"hydra.{name}", "refused: a run writes its own log, run.log")
    except SettingError as error:
        raise ConfigurationError(f"{where(error.key, config.hydra)}: {error}") from None
