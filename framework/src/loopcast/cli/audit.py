"""``loopcast audit``: list the audit log, check it, export its head."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click

from loopcast.api import Act
from loopcast.cli.selection import json_option, limit_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home


@click.group()
def audit() -> None:
    """List and check the audit log, in which every act is chained to the one before."""


@audit.command("list")
@store_options
@click.option("--act", type=click.Choice(get_args(Act)), help="Only such acts.")
@click.option("--by", metavar="NAME", help="Only acts of this person.")
@click.option("--logical-model", "-m", help="Only acts that concerned it.")
@click.option("--version", "-v", help="Only acts that concerned this version.")
@limit_option
@json_option
def list_entries(
    *,
    place: Home,
    act: Act | None,
    by: str | None,
    logical_model: str | None,
    version: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List what was done, by whom and when, the newest first."""
    from loopcast.cli import governance_tables
    from loopcast.store.catalog import AuditFilter

    with place.catalog as catalog:
        found = catalog.version(version).id if version else None
        which = AuditFilter(act=act, by=by, logical_model=logical_model, version=found)
        entries = catalog.audit_log(which, limit=limit)
    governance_tables.print_audit(entries, as_json=as_json)


@audit.command()
@store_options
@click.option(
    "--expect",
    metavar="NUMBER:DIGEST",
    help="A head that 'loopcast audit head' printed before and that was kept elsewhere.",
)
def verify(place: Home, expect: str | None) -> None:
    """Check every entry, and every act's rows in the catalog, against the chain of digests.

    An end of the log that was cut off together with what it told of shows only against a head
    that was kept elsewhere: --expect.
    """
    with place.catalog as catalog:
        number, digest = catalog.verify_audit(_head(expect) if expect else None)
    click.echo(f"{number} entries are as they were written; head {number}:{digest}")


@audit.command()
@store_options
def head(place: Home) -> None:
    """Print the head of the log, which stands for all of it; keep it elsewhere."""
    with place.catalog as catalog:
        number, digest = catalog.audit_head()
    click.echo(f"{number}:{digest}")


def _head(text: str) -> tuple[int, str]:
    number, colon, digest = text.partition(":")
    if not (colon and number.isdecimal() and len(digest) == 64):
        raise click.UsageError(
            f"--expect {text}: give NUMBER:DIGEST, as 'loopcast audit head' does"
        )
    return int(number), digest
