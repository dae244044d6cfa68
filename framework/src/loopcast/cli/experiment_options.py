"""The declaration of an experiment, from options of the command line, from a file, or from both."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import msgspec

from loopcast.api import ConfigurationError, Direction, ExperimentKind

if TYPE_CHECKING:
    from loopcast.iterate.experiments.planning import Declaration

_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--kind", {"type": click.Choice(get_args(ExperimentKind)), "help": "What kind it is."}),
    ("--metric", {"help": "A metric of the task, or 'outcome': the ground truth itself."}),
    ("--direction", {"type": click.Choice(get_args(Direction)), "help": "Which way is better."}),
    ("--minimum-effect", {"type": float, "help": "The smallest difference that matters."}),
    ("--significance", {"type": float, "help": "Chance of a false alarm; 0.05 by default."}),
    ("--power", {"type": float, "help": "Chance to find the minimum effect; 0.8 by default."}),
    ("--sample-size", {"type": int, "help": "Outcomes an arm needs; computed by default."}),
    ("--baseline", {"type": float, "help": "The metric now; observed by default."}),
    ("--deviation", {"type": float, "help": "Its standard deviation; observed by default."}),
    ("--wait-days", {"type": int, "help": "Days that outcomes take; observed by default."}),
)


def declaration_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a declaration; it gets them as one argument, ``wanted``."""

    @wraps(command)
    def with_declaration(
        *, name: str, file: Path | None, challengers: tuple[str, ...], **options: Any
    ) -> None:
        from loopcast.iterate.experiments.planning import Declaration

        fields = {flag[2:].replace("-", "_"): None for flag, _ in _OPTIONS}
        fields |= {"sequential": None, "silence_counts": None}
        given = {key: options.pop(key) for key in fields}
        said = _from_file(file) | {key: value for key, value in given.items() if value is not None}
        said |= {"challengers": list(challengers)} if challengers else {}
        command(wanted=_checked(said | {"name": name}, Declaration), **options)

    found = with_declaration
    for flag, details in reversed(_OPTIONS):
        found = click.option(flag, **details)(found)
    extra = (
        click.argument("name"),
        click.option(
            "--from", "file", type=click.Path(path_type=Path), help="YAML with these options."
        ),
        click.option("--challenger", "challengers", multiple=True, help="An arm; repeatable."),
        click.option("--sequential", is_flag=True, default=None, help="To be looked at any time."),
        click.option(
            "--silence-counts", is_flag=True, default=None, help="No outcome in time is a zero."
        ),
    )
    for option in reversed(extra):
        found = option(found)
    return found


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        content = msgspec.yaml.decode(file.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"{file}: {error}; it holds lines as 'metric: outcome'") from None
    return content


def _checked(said: dict[str, Any], kind: type[Declaration]) -> Declaration:
    for needed in ("kind", "metric"):
        if needed not in said:
            raise ConfigurationError(f"experiment {said['name']}: say its {needed} (--{needed})")
    try:
        return msgspec.convert(said, kind)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"experiment {said['name']}: {error}") from None
