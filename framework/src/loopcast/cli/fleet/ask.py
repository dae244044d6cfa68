"""``loopcast fleet ask``: something that devices do once, now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

import click

from loopcast.cli.fleet.options import broker_option, label_option, labels_of
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import DeviceName
    from loopcast.store.devices import Enrolled
    from loopcast.store.home import Home

_WHAT = ("report", "retry", "resend")


@click.command()
@store_options
@broker_option
@click.argument("what", type=click.Choice(_WHAT))
@click.argument("names", nargs=-1)
@label_option
def ask(
    *,
    place: Home,
    url: str,
    what: Literal["report", "retry", "resend"],
    names: tuple[str, ...],
    labels: tuple[str, ...],
) -> None:
    """Ask devices NAMES, or all with the labels given, to do something once.

    'report' how they are; 'retry' packages that they refused or went back from; 'resend' what
    was not receipted. Those that are away for longer than an hour do not hear of it.
    """
    from loopcast.fleet.founding import broker_of
    from loopcast.fleet.link import Link
    from loopcast.fleet.publish import order_messages

    with place.catalog as catalog:
        asked = _asked(catalog.devices(names or None), names, labels_of(labels))
    with Link(broker_of(place, url)) as link:
        sent = link.send(order_messages(asked, what))
    click.echo(f"{sent:,} devices are asked to {what}")


def _asked(
    known: Mapping[DeviceName, Enrolled], names: Iterable[str], labels: Mapping[str, str]
) -> list[DeviceName]:
    """Return those of the devices that have all the labels.

    Raises
    ------
    NotFoundError
        When a name is not enrolled, or nothing is left.
    """
    from loopcast.api import NotFoundError

    for name in names:
        if name not in known:
            raise NotFoundError(f"no device {name!r}; 'loopcast fleet devices list' shows them")
    chosen = [n for n, each in known.items() if labels.items() <= each.device.labels.items()]
    if not chosen:
        raise NotFoundError("no device has these labels")
    return chosen
