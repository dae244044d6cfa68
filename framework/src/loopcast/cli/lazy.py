"""Groups of commands that are imported when they are called, and not for the help."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are modules of a package.

    Parameters
    ----------
    package
        Where they are.
    said
        By command what the help says, in the order in which it lists them.
    modules
        Of commands whose module has another name than they have.
    """

    def __init__(
        self,
        *arguments: Any,
        package: str,
        said: Mapping[str, str],
        modules: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self._package, self._said, self._modules = package, said, modules or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, as the help lists them."""
        return list(self._said)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, unless the group has it already."""
        present = super().get_command(ctx, cmd_name)
        if present is not None or cmd_name not in self._said:
            return present
        module = import_module(f"{self._package}.{self._modules.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands for the help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._said.items()))
