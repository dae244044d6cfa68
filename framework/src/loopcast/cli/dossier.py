"""``loopcast models dossier``: the document that an auditor asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import policy_options
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import Policy, Version
    from loopcast.develop.explain.importance import Importance
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home


@click.command()
@store_options
@policy_options
@click.argument("version")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; dossier-VERSION.html here by default.",
)
def dossier(*, place: Home, policy: Policy, version: str, output: Path | None) -> None:
    """Write everything about a VERSION as one page: purpose, data, method, gates, who signed.

    The audit log is checked first; of one that was tampered with there is no dossier.
    """
    from loopcast.cli import plugin_manager
    from loopcast.deploy.dossier import gather
    from loopcast.store.files import write_atomically
    from loopcast.web.dossier.page import render

    with place.catalog as catalog:
        found, plugins = catalog.version(version), plugin_manager()
        losses, note = _importance(place, plugins, found)
        page = render(gather(place, plugins, found, policy, losses=losses, losses_note=note))
    file = output or Path(f"dossier-{found.id}.html")
    write_atomically(file, page.encode())
    click.echo(f"{file} holds the dossier of {found.id}")


def _importance(
    place: Home, plugins: PluginManager, version: Version
) -> tuple[list[Importance], str]:
    """Return what a score lives on, or why that cannot be said here and now."""
    from loopcast.api import PluginError
    from loopcast.deploy.loaded import load_version
    from loopcast.iterate.importance import importance_or_reason

    try:
        loaded = load_version(place, plugins, version)
    except PluginError as error:
        return [], f"the model cannot be asked: {error}"
    return importance_or_reason(loaded, plugins, base=Path.cwd())
