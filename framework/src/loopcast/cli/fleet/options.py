"""Options that commands of the fleet share."""

from __future__ import annotations

import click

from loopcast.api import ConfigurationError

broker_option = click.option(
    "--broker",
    "url",
    envvar="LOOPCAST_BROKER_URL",
    default="mqtts://localhost:8886",
    show_default=True,
    show_envvar=True,
    help="The broker's port for the centre; mqtt://HOST:PORT for one without certificates.",
)
label_option = click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="A label, such as region=north or ring=early; repeatable.",
)


def labels_of(texts: tuple[str, ...]) -> dict[str, str]:
    """Return labels from what was typed.

    Raises
    ------
    ConfigurationError
        For one without a key or an equals sign.
    """
    pairs = [text.partition("=") for text in texts]
    for text, (key, equals, _) in zip(texts, pairs, strict=True):
        if not (key and equals):
            raise ConfigurationError(f"{text!r} is no label; write KEY=VALUE, such as region=north")
    return {key: value for key, _, value in pairs}
