"""The options that say where the stores are, the same for every command."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from loopcast.settings import StoreSettings
    from loopcast.store.home import Home

_OPTIONS = (
    click.option(
        "--home",
        envvar="LOOPCAST_HOME",
        default="loopcast-home",
        show_default=True,
        show_envvar=True,
        help="Folder of all state.",
    ),
    click.option(
        "--catalog",
        envvar="LOOPCAST_CATALOG_URL",
        default="",
        show_envvar=True,
        help="URL of the catalog, if it is not in the home folder.",
    ),
    click.option(
        "--artifacts",
        envvar="LOOPCAST_ARTIFACTS_URL",
        default="",
        show_envvar=True,
        help="URL of the artifacts, if they are not in the home folder.",
    ),
    click.option(
        "--events",
        envvar="LOOPCAST_EVENTS_URL",
        default="",
        show_envvar=True,
        help="URL of the event log, if it is not in the home folder.",
    ),
)


def store_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the stores; it gets them as one argument, ``place``.

    Commands that use it read what exists: an absent catalog is an error.
    """

    @wraps(command)
    def with_place(*, home: str, catalog: str, artifacts: str, events: str, **others: Any) -> None:
        from loopcast.store.home import open_home

        place = open_home(home, catalog=catalog, artifacts=artifacts, events=events, create=False)
        command(place=place, **others)

    for option in reversed(_OPTIONS):
        with_place = option(with_place)
    return with_place


def home_of(settings: StoreSettings) -> Home:
    """Return the stores that the settings of a run name; what is absent is made."""
    from loopcast.store.home import open_home

    return open_home(
        settings.home,
        catalog=settings.catalog,
        artifacts=settings.artifacts,
        events=settings.events,
    )
