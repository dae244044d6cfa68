"""``loopcast fleet``: devices, packages, rollouts, and the centre that serves them."""

from __future__ import annotations

from importlib import import_module

import click

# Modules of this package by command; each has a command of the same name.
_COMMANDS = {
    "keys": "Make, rotate and show the keys that devices trust.",
    "broker": "Write the configuration of a Mosquitto for this fleet.",
    "enrol": "Take devices into the fleet.",
    "devices": "List, label and revoke devices.",
    "publish": "Sign a version's package, and number it.",
    "learn": "Correct a package by what its devices learned together.",
    "rollout": "Move a package onto devices, stage by stage.",
    "pause": "Hold a rollout where it is.",
    "resume": "Let a paused rollout go on.",
    "abort": "End a rollout, and take its devices back.",
    "rollback": "Take devices back after a rollout is complete.",
    "ask": "Have devices report, retry or send again.",
    "status": "Say how the fleet and its rollouts stand.",
    "watch": "Follow a rollout live until it ends.",
    "serve": "Run a centre: listen, keep, move rollouts on.",
    "simulate": "Run many agents against the broker.",
}
_MODULES = dict.fromkeys(("pause", "resume", "abort", "rollback", "rollout"), "rollouts")
_MODULES |= {"watch": "status"}


class _Commands(click.Group):
    """Commands that are imported when they are called, and not for the help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order in which they are used."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"{__name__}.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands for the help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands)
def fleet() -> None:
    """Bring versions to devices, and their experience back (docs/edge.md).

    Once: 'keys make', 'broker', 'enrol'. For each version: 'publish', 'rollout', 'watch'. A
    centre, 'serve', runs all the time; several may.
    """
