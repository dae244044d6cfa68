"""Releases and the audit log as tables in the terminal; imported when a command prints one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loopcast.api import AuditEntry, Release, SwitchSetting
from loopcast.cli.tables import minute, print_json, print_rows, terminal


def print_audit(entries: Sequence[AuditEntry], *, as_json: bool) -> None:
    """Print entries of the audit log."""
    if as_json:
        print_json(entries)
        return
    rows = (
        [str(e.number), minute(e.at), e.by, e.act, e.subject, said(e.details), e.digest[:12]]
        for e in entries
    )
    columns = ["entry", "at", "by", "act", "of", "details", "digest"]
    print_rows(terminal(), "audit log, the newest first", columns, rows)


def said(details: Mapping[str, object]) -> str:
    """Say in one line what an entry's details say, but for the digests of rows."""
    which = details.get("which")
    rows = which if isinstance(which, list) else []
    shown = "; ".join(_pairs(row) for row in rows[:3]) or _count(details)
    more = f"; and {len(rows) - 3} more" if len(rows) > 3 else ""
    others = {
        key: value for key, value in details.items() if key not in {"which", "content", "rows"}
    }
    return "; ".join(filter(None, [shown + more, _pairs(others)]))


def _count(details: Mapping[str, object]) -> str:
    return f"{details['rows']} rows" if "rows" in details else ""


def _pairs(row: Mapping[str, Any]) -> str:
    hidden = {"logical_model", "by", "at"}
    return ", ".join(
        f"{key} {value}"
        for key, value in row.items()
        if key not in hidden and value not in ("", None)
    )


def print_champions(released: Sequence[Release], *, as_json: bool) -> None:
    """Print who is champion of each segment, released by whom and why."""
    champions = sorted(
        (entry for entry in released if entry.stage == "champion"), key=lambda entry: entry.segment
    )
    if as_json:
        print_json(champions)
        return
    console = terminal()
    rows = ([e.segment, e.version, minute(e.since), e.by, e.reason] for e in champions)
    if not champions:
        console.print("no champion")
    print_rows(console, "champions", ["segment", "version", "since", "by", "reason"], rows)


def print_history(
    releases: Sequence[Release], switches: Sequence[SwitchSetting], *, as_json: bool
) -> None:
    """Print who moved and switched what, the oldest first."""
    if as_json:
        print_json({"releases": releases, "switches": switches})
        return
    columns = ["segment", "version", "stage", "since", "until", "by", "reason"]
    rows = (
        [r.segment, r.version, _stage(r), minute(r.since), minute(r.until), r.by, r.reason]
        for r in releases
    )
    print_rows(terminal(), "releases", columns, rows)
    turned = (
        [s.segment, s.switch, minute(s.since), minute(s.until), s.by, s.reason] for s in switches
    )
    columns = ["segment", "switch", "since", "until", "by", "reason"]
    print_rows(terminal(), "switches", columns, turned)


def _stage(entry: Release) -> str:
    share = f" {entry.share:.0%}" if entry.share else ""
    return f"{entry.stage}{share}{', rolled back' if entry.rollback else ''}"
