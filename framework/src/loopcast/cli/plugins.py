"""``loopcast plugins``: what is installed, from which package, and what each plugin offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from loopcast.plugins import PluginInfo


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--disable", multiple=True, metavar="PLUGIN", help="Do not import a plugin.")
def plugins(as_json: bool, disable: tuple[str, ...]) -> None:
    """List what is installed, from which package and version, and what each plugin offers."""
    from loopcast import config
    from loopcast.cli import plugin_manager

    listed = plugin_manager((*disable, *config.disabled())).plugins
    if as_json:
        click.echo(_json(listed))
    else:
        width = max(len(info.name) for info in listed)
        for info in listed:
            click.echo("\n".join(_lines(info, width)))


def _json(listed: tuple[PluginInfo, ...]) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(listed), indent=2).decode()


def _lines(info: PluginInfo, width: int) -> Iterator[str]:
    """Lines about one plugin: what it is, why it cannot be used, what it offers by kind."""
    yield f"{info.name:{width}}  {info.status:8}  {info.package} {info.version}"
    if info.reason:
        yield f"  {info.reason}"
    for kind, names in info.offers.items():
        yield f"  {kind:10}  {', '.join(names)}"
