"""The command line of a run, as Hydra has it."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from loopcast.api import ConfigurationError, LoopcastError, StoreError
from loopcast.config.composition import (
    PRIMARY,
    VERSION_BASE,
    composed,
    hydra_session,
    refuse_unsafe,
    settings_of,
)
from loopcast.config.lookup import CONFIG_DIR_VARIABLE, DISABLE_VARIABLE
from loopcast.config.provenance import COMMAND_LINE, CONF, overrides_of, translated
from loopcast.plugins import PluginManager
from loopcast.settings import RunSettings

Job = Callable[[RunSettings, Path], None]
_Task = Callable[[Any], None]
_Failure = tuple[int | None, LoopcastError]

_log = logging.getLogger(__name__)


def disabled(arguments: Sequence[str] = ()) -> tuple[str, ...]:
    """Read which plugins configuration disables, before any plugin is imported.

    Plugins add configuration themselves, so the whole of it cannot be composed yet. Read are
    the environment variable ``LOOPCAST_DISABLE_PLUGINS`` (names separated by commas), an
    override ``plugins.disable=[a,b]``, and where there is none, the primary ``config.yaml``.
    :func:`run` refuses ``plugins.disable`` from any other place.
    """
    names = os.environ.get(DISABLE_VARIABLE, "").split(",")
    overrides = [re.fullmatch(r"\+{0,2}plugins\.disable=\[?(.*?)\]?", text) for text in arguments]
    matches = [match[1].split(",") for match in overrides if match]
    names += matches[-1] if matches else _disabled_in_primary()
    return tuple(sorted({name.strip("'\" ") for name in names} - {""}))


def _disabled_in_primary() -> list[str]:
    config = msgspec.yaml.decode((files(CONF) / f"{PRIMARY}.yaml").read_bytes())
    return [str(name) for name in (config.get("plugins") or {}).get("disable") or ()]


def run(arguments: Sequence[str], plugins: PluginManager, job: Job) -> None:
    """Run Hydra's command line: one job, a multirun, or what ``--cfg`` and ``--help`` print.

    Parameters
    ----------
    arguments
        Overrides and Hydra's flags.
    job
        Called with the settings and the existing run directory, once for each job.

    Raises
    ------
    ConfigurationError
        Before any directory is made, except for what only a job of a multirun shows.
    StoreError
        Where the run directory cannot be made or written.
    LoopcastError
        What the job raised. In a multirun a job that fails is reported and the others go on;
        the error raised at the end counts them. A bug ends a multirun after its last job.
    SystemExit
        After ``--help`` and for flags that Hydra does not know.
    """
    failures: list[_Failure] = []
    task = _task(plugins, job, failures)
    with _command_line(_with_folder(arguments)) as options:
        if options.shell_completion or options.hydra_help:
            _main(plugins, task, options)
            return
        folder = Path(options.config_dir) if options.config_dir else None
        primary = options.config_name or PRIMARY
        with (
            hydra_session(plugins, folder),
            composed(_first_job(options), plugins, primary) as config,
        ):
            refuse_unsafe(config)
            shown = options.cfg or options.help or options.info
            if not shown:
                settings_of(config, config.hydra, plugins)
            alone = not (shown or _is_multirun(options, config))
            if alone:
                _run_alone(config, task)
        if not alone:
            _main(plugins, task, options)
    _raise_first(failures)


def _with_folder(arguments: Sequence[str]) -> Sequence[str]:
    """Add the folder of configuration that the environment names, unless the arguments do."""
    folder = os.environ.get(CONFIG_DIR_VARIABLE)
    named = any(text.startswith(("--config-dir", "-cd")) for text in arguments)
    return arguments if named or not folder else [*arguments, f"--config-dir={folder}"]


def _first_job(options: Any) -> list[str]:
    """Overrides of a single run, or of the first job of a multirun."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    given: list[str] = options.overrides
    if not (options.multirun or "hydra.mode=MULTIRUN" in given):
        return given
    try:
        parsed = OverridesParser.create().parse_overrides(given)
    except OverrideParseException:
        return given  # composing them says what is wrong
    return [
        f"{override.get_key_element()}={next(override.sweep_string_iterator())}"
        if override.is_discrete_sweep()
        else str(override.input_line)
        for override in parsed
    ]


def _is_multirun(options: Any, config: Any) -> bool:
    from hydra.types import RunMode

    if options.run:
        return False
    given = options.multirun or "hydra.mode=MULTIRUN" in options.overrides
    return given or config.hydra.mode == RunMode.MULTIRUN


def _run_alone(config: Any, task: _Task) -> None:
    """Run what is composed, as launchers of Hydra do; its own way composes it twice again."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.utils import run_job
    from hydra.types import HydraContext, RunMode
    from omegaconf import read_write

    with read_write(config.hydra):
        config.hydra.mode = RunMode.RUN
    none: Any = _NoCallbacks()
    context = HydraContext(GlobalHydra.instance().config_loader(), none)
    try:
        done = run_job(task, config, "hydra.run.dir", None, hydra_context=context)
    except OSError as error:  # none of the task's, which are kept for later
        folder = config.hydra.run.dir
        raise StoreError(f"could not write the run folder {folder}: {error.strerror}") from error
    _ = done.return_value  # raises what the task raised


class _NoCallbacks:
    """What Hydra calls around a job: nothing, since configuration runs no code."""

    def on_job_start(self, **_: Any) -> None:
        """Do nothing."""

    def on_job_end(self, **_: Any) -> None:
        """Do nothing."""


def _main(plugins: PluginManager, task: _Task, options: Any) -> None:
    """Hand over to Hydra, which reads the same arguments from ``sys.argv`` again."""
    import hydra

    main = hydra.main(f"pkg://{CONF}", PRIMARY, VERSION_BASE)(task)
    with hydra_session(plugins), translated(plugins, options.overrides):
        main()


def _raise_first(failures: Sequence[_Failure]) -> None:
    if failures and failures[0][0] is None:
        raise failures[0][1]
    if failures:
        numbers = ", ".join(str(number) for number, _ in failures)
        raise LoopcastError(f"failed jobs of the multirun: {numbers}")


def _task(plugins: PluginManager, job: Job, failures: list[_Failure]) -> _Task:
    """The function that Hydra calls for each job, in a process of its own with some launchers."""
    parent = os.getpid()

    def task(config: Any) -> None:
        from hydra.core.hydra_config import HydraConfig
        from omegaconf import OmegaConf

        hydra = HydraConfig.get()
        directory = Path(hydra.runtime.output_dir)
        number = None if OmegaConf.is_missing(hydra.job, "num") else int(hydra.job.num)
        with _log_file(directory):
            try:
                job(settings_of(config, hydra, plugins), directory)
            except LoopcastError as error:
                _log.error("%s", error)
                if os.getpid() != parent:
                    raise
                failures.append((number, error))
                if number is not None:
                    mine = (x for x in overrides_of(hydra) if not x.startswith("hydra."))
                    overrides = " ".join(mine)
                    sys.stderr.write(f"loopcast: job {number} ({overrides}) failed: {error}\n")

    return task


@contextmanager
def _log_file(directory: Path) -> Iterator[None]:
    """Write what is logged into the run directory; the console is for progress."""
    handler = logging.FileHandler(directory / "run.log", encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(min(level, logging.INFO))
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


@contextmanager
def _command_line(arguments: Sequence[str]) -> Iterator[Any]:
    """Parse Hydra's arguments, and let Hydra find them in ``sys.argv``, overrides first."""
    from hydra._internal.utils import get_args_parser  # hydra.main's own; it has no public name
    from hydra.core.utils import env_override

    outer = sys.argv
    sys.argv = ["loopcast run"]
    # Errors reach us as they are; otherwise Hydra prints them its way and exits.
    with env_override({"HYDRA_FULL_ERROR": "1"}):
        try:
            options = get_args_parser().parse_intermixed_args(list(arguments))
            _refuse_flags(options)
            flags = [text for text in arguments if text not in options.overrides]
            sys.argv += [*options.overrides, *flags]
            yield options
        finally:
            sys.argv = outer


def _refuse_flags(options: Any) -> None:
    if options.experimental_rerun is not None:
        raise ConfigurationError(
            f"{COMMAND_LINE}: --experimental-rerun is refused: it would unpickle a file"
        )
    if options.config_path is not None:
        raise ConfigurationError(
            f"{COMMAND_LINE}: --config-path is refused: loopcast's own configuration is always "
            "read; add a folder with --config-dir, and another primary file with --config-name"
        )
    modes = ("run", "multirun", "cfg", "info", "shell_completion")
    chosen = [f"--{mode.replace('_', '-')}" for mode in modes if getattr(options, mode)]
    if len(chosen) > 1:
        raise ConfigurationError(f"{COMMAND_LINE}: {' and '.join(chosen)} exclude each other")
