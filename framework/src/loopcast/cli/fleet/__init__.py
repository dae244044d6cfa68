"""``loopcast fleet``: devices, packages, rollouts, and the centre that serves them."""

from __future__ import annotations

import click

from loopcast.cli.lazy import LazyGroup

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


@click.group(cls=LazyGroup, package=__name__, said=_COMMANDS, modules=_MODULES)
def fleet() -> None:
    """Bring versions to devices, and their experience back (docs/edge.md).

    Once: 'keys make', 'broker', 'enrol'. For each version: 'publish', 'rollout', 'watch'. A
    centre, 'serve', runs all the time; several may.
    """
