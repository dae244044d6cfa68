"""Options that several commands share: which versions or segments, who, why, by which policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from loopcast.api import Stage

if TYPE_CHECKING:
    from loopcast.api import Policy
    from loopcast.store.catalog import Catalog, Standing


class Moment(click.ParamType[datetime]):
    """A day or a moment; in UTC where it names no zone."""

    name = "moment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read ISO 8601."""
        from datetime import UTC

        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no moment such as 2014-12-31 or 2014-12-31T18:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


DAY = click.DateTime(["%Y-%m-%d"])
"""A day, for an option whose ``metavar`` is ``DAY``."""

by_option = click.option("--by", required=True, metavar="NAME", help="Who answers for it.")
reason_option = click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept.")
cutoff_option = click.option(
    "--cutoff",
    type=click.FloatRange(0.0, 1.0),
    help="Probability of the event that divides the decisions; the logical model's, or 0.5.",
)
at_option = click.option(
    "--at",
    type=Moment(),
    help="When, where it is not now: for a replay of the past, 2026-03-01 or 2026-03-01T12:00Z. "
    "The audit log keeps both moments.",
)
limit_option = click.option(
    "--limit", "-n", type=click.IntRange(1), default=20, show_default=True, help="How many to show."
)
output_option = click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The file to write.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

_SEGMENTS = (
    click.option("--segment", "-s", metavar="PATTERN", help="Segments, such as 'north-*'."),
    click.option("--all-segments", is_flag=True, help="Every segment of the family, at once."),
)


def segment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that select segments: ``segment`` and ``all_segments``."""
    for option in reversed(_SEGMENTS):
        command = option(command)
    return command


def version_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take each VERSION, or those of a family that are in a stage.

    It gets them as one argument, ``which``, for :func:`selected`.
    """

    @wraps(command)
    def with_versions(
        *,
        versions: tuple[str, ...],
        logical_model: str | None,
        segment: str | None,
        all_segments: bool,
        stage: Stage,
        **others: Any,
    ) -> None:
        if bool(versions) == (logical_model is not None):
            raise click.UsageError(
                "give a VERSION, or --logical-model with --segment or --all-segments"
            )
        which = {
            "versions": versions,
            "logical_model": logical_model,
            "segment": segment,
            "all_segments": all_segments,
            "stage": stage,
        }
        command(which=which, **others)

    options = (
        click.argument("versions", metavar="[VERSION]...", nargs=-1),
        click.option("--logical-model", "-m", help="Versions of this one instead of each VERSION."),
        *_SEGMENTS,
        click.option(
            "--in",
            "stage",
            type=click.Choice(get_args(Stage)),
            default="staging",
            show_default=True,
            help="With --logical-model: the newest version of each segment in this stage.",
        ),
    )
    for option in reversed(options):
        with_versions = option(with_versions)
    return with_versions


def selected(catalog: Catalog, which: Mapping[str, Any]) -> list[Standing]:
    """Return where the versions stand that were asked for."""
    from loopcast.deploy.releases import newest_in_stage, segments_of

    if which["versions"]:
        ids = [catalog.version(name).id for name in which["versions"]]
    else:
        name = which["logical_model"]
        segments = segments_of(catalog, name, which["segment"], all_segments=which["all_segments"])
        ids = newest_in_stage(catalog, name, segments, which["stage"])
    return list(catalog.standings(ids).values())


def policy_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the policy that configuration names, as one argument, ``policy``."""

    @wraps(command)
    def with_policy(*, config_dir: Path | None, policy_name: str, **others: Any) -> None:
        command(policy=_policy(config_dir, policy_name), **others)

    options = (
        click.option(
            "--config-dir",
            envvar="LOOPCAST_CONFIG_DIR",
            type=click.Path(path_type=Path),
            show_envvar=True,
            help="A folder of configuration of your own, as for 'loopcast run'.",
        ),
        click.option(
            "--policy",
            "policy_name",
            envvar="LOOPCAST_POLICY",
            default="default",
            show_default=True,
            show_envvar=True,
            help="The policy to apply.",
        ),
    )
    for option in reversed(options):
        with_policy = option(with_policy)
    return with_policy


def _policy(folder: Path | None, name: str) -> Policy:
    from loopcast import config
    from loopcast.cli import plugin_manager

    return config.compose_policy(name, plugins=plugin_manager(config.disabled()), folder=folder)
