"""Where a setting came from, and Hydra's complaints in one line that says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loopcast.api import ConfigurationError, PluginError
from loopcast.plugins import PluginManager
from loopcast.settings import unknown

COMMAND_LINE = "the command line"
CONF = "loopcast.conf"


def where(key: str, hydra: Any) -> str:
    """Say which file set a key, or the nearest key above it; or the command line."""
    groups = {group.partition("@")[0] for group in hydra.runtime.choices}
    given = [_key_of(text) for text in overrides_of(hydra)]
    set_here = [name for name in given if name not in groups]
    parts = re.sub(r"\[.*", "", key).split(".")
    if any(f"{name}.".startswith(f"{key}.") for name in set_here):
        return COMMAND_LINE
    read = _read(hydra)
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in set_here:
            return COMMAND_LINE
        for label, content in read[::-1]:
            if _has(content, parts[:length]):
                return label
    return "configuration"


def _key_of(override: str) -> str:
    return str(re.split("[=@]", override.lstrip("+~"))[0])


def overrides_of(hydra: Any) -> list[str]:
    """Overrides as they were given; interpolations in them are not resolved."""
    from omegaconf import OmegaConf

    given = OmegaConf.to_container(hydra.overrides, resolve=False)
    assert isinstance(given, dict)
    return [*given["hydra"], *given["task"]]


def _has(content: Any, parts: list[str]) -> bool:
    for part in parts:
        if not isinstance(content, Mapping) or part not in content:
            return False
        content = content[part]
    return True


def _read(hydra: Any) -> list[tuple[str, Any]]:
    """Each file that was composed, in order, with its content under its package."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    loader = GlobalHydra.instance().config_loader()
    listed = loader.compute_defaults_list(hydra.job.config_name, overrides_of(hydra), RunMode.RUN)
    sources = _sources(hydra)
    read: list[tuple[str, Any]] = []
    for default in listed.defaults:
        source = next(source for source in sources if source.is_config(default.config_path))
        if not default.config_path.startswith("hydra/"):
            content = OmegaConf.to_container(source.load_config(default.config_path).config)
            for part in reversed((default.package or "").split(".") if default.package else ()):
                content = {part: content}
            read.append((_label(source, default.config_path), content))
    return read


def _sources(hydra: Any) -> list[Any]:
    """Every folder that configuration was read from, in the order in which Hydra looks."""
    from hydra.core.plugins import Plugins
    from hydra.plugins.config_source import ConfigSource

    discovered: Iterable[Any] = Plugins.instance().discover(ConfigSource)
    kinds = {kind.scheme(): kind for kind in discovered}
    return [
        kinds[source.schema](source.provider, f"{source.schema}://{source.path}")
        for source in hydra.runtime.config_sources
    ]


def _label(source: Any, path: str) -> str:
    if source.scheme() == "structured":
        return f"the template {path.rpartition('/')[2]}"
    if source.scheme() == "file":
        return f"{Path(source.path) / path}.yaml"
    folder = "conf/" if source.path == CONF else f"{source.path}: "
    return f"{folder}{path}.yaml"


def refuse_ambiguous(hydra: Any) -> None:
    """Of two sources of the same option Hydra silently takes the first."""
    sources = _sources(hydra)
    chosen = [hydra.job.config_name]
    for group, options in hydra.runtime.choices.items():
        names = [options] if isinstance(options, str) else options or ()
        chosen += [f"{group.partition('@')[0]}/{name}" for name in names]
    for path in chosen:
        offering = [_label(source, path) for source in sources if source.is_config(path)]
        if len(offering) > 1 and not path.startswith("hydra/"):
            raise ConfigurationError(
                f"{path} is offered by both {' and '.join(offering)}; rename one of them"
            )


@contextmanager
def translated(plugins: PluginManager, overrides: Sequence[str]) -> Iterator[None]:
    """Say what Hydra says in one line, with where and the nearest valid name."""
    import yaml  # type: ignore[import-untyped]
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except MissingConfigException as error:
        raise ConfigurationError(_missing(error, plugins, overrides)) from None
    except OverrideParseException as error:
        problem = str(error).split("\n", 1)[0]
        raise ConfigurationError(
            f"{COMMAND_LINE}: {error.override!r} is not an override such as KEY=VALUE: {problem}"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"not YAML: {' '.join(str(error).split())}") from None
    except (HydraException, OmegaConfBaseException) as error:
        said = " ".join(f"{error} {error.__cause__ or ''}".split())
        raise ConfigurationError(said) from None


def _missing(error: Any, plugins: PluginManager, overrides: Sequence[str]) -> str:
    """Say which option of which group does not exist, and where it was asked for."""
    group, _, option = str(error.missing_cfg_file).rpartition("/")
    asked = re.match(r"In '([^']*)'", str(error))
    if error.options is None or asked is None:
        return " ".join(str(error).split("\n", 1)[0].split())
    here = any(_key_of(text) == group for text in overrides)
    where = COMMAND_LINE if here else f"the defaults list of {asked[1]}"
    problem = unknown(f"{group} has no option {option!r}", option, error.options)
    problem += plugins.unusable()
    if group == "template":
        try:
            plugins.template(option)
        except PluginError as why:
            problem = str(why)
    return f"{where}: {group}: {problem}"
