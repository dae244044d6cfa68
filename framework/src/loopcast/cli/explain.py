"""``loopcast explain``: why a version scores as it does, overall or for single rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopcast.cli.selection import cutoff_option, json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.deploy.explained import Explained, ExplainedRow
    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.develop.explain.importance import Importance
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home

SHOWN = 10
"""Rows of a file that the terminal shows; the JSON has all of them."""

_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@store_options
@cutoff_option
@click.argument("version")
@click.option("--row", metavar="KEY", help="Explain one row, as it was asked last.")
@click.option("--file", type=_file, help="Explain the rows of a CSV or Parquet file.")
@click.option("--what-if", is_flag=True, help="Also the nearest changes that flip each decision.")
@click.option("--page", type=_file, help="Write a page to this file.")
@json_option
def explain(
    *,
    place: Home,
    cutoff: float | None,
    version: str,
    row: str | None,
    file: Path | None,
    what_if: bool,
    page: Path | None,
    as_json: bool,
) -> None:
    """Explain the scores of a VERSION.

    Without a row: what each feature contributes, how much worse the version would be judged
    without it, and how far small changes of it move a score. With --row or --file: what each
    feature adds to the log-odds of a row, and, with --what-if, the nearest changes of what the
    schema calls changeable that flip its decision.
    """
    from loopcast.cli import plugin_manager
    from loopcast.deploy.explained import explain_rows, explain_version, row_of
    from loopcast.deploy.loaded import load_version
    from loopcast.develop.decision import decision_for
    from loopcast.iterate.importance import importance_or_reason

    if row is not None and file is not None:
        raise click.UsageError("give --row or --file, not both")
    if what_if and row is None and file is None:
        raise click.UsageError("--what-if asks about rows: give --row or --file")
    plugins = plugin_manager()
    with place.catalog as catalog:
        loaded = load_version(place, plugins, catalog.version(version))
        decision = decision_for(loaded.logical_model, cutoff)
        whole, rows = explain_version(loaded, decision), None
        if row is not None or file is not None:
            table = _read(file, loaded, plugins) if file else row_of(place, loaded, row or "")
            rows = explain_rows(loaded, table, decision, whatif=what_if)
        losses, note = (
            ([], "")
            if rows and not page
            else importance_or_reason(loaded, plugins, base=Path.cwd())
        )
    if page is not None:
        kpi = plugins.kpi_title(loaded.logical_model)
        _write(page, loaded, whole, (losses, note), rows or [], kpi=kpi)
    if rows is None:
        _show_whole(whole, losses, note, as_json=as_json)
    else:
        _show_rows(loaded, rows, as_json=as_json)


def _read(file: Path, loaded: LoadedVersion, plugins: PluginManager) -> pd.DataFrame:
    """Read rows to explain, named as the schema names them, and check them."""
    from loopcast.api import ScoreSchema
    from loopcast.develop.score.prepare import prepare_score
    from loopcast.iterate.settings_file import read_settings
    from loopcast.monitor.delivery import read_table
    from loopcast.settings import ScoreTable

    names = read_settings(loaded.bundle.files).data.table
    assert isinstance(names, ScoreTable)
    assert isinstance(loaded.schema, ScoreSchema)
    table = read_table(file, plugins.reader("parquet" if file.suffix == ".parquet" else "csv"))
    return prepare_score(table, names, loaded.schema, str(file), labelled=False).features


def _write(
    page: Path,
    loaded: LoadedVersion,
    whole: Explained,
    importance: tuple[list[Importance], str],
    rows: Sequence[ExplainedRow],
    *,
    kpi: str,
) -> None:
    from loopcast.store.files import write_atomically
    from loopcast.web.explain.page import render

    losses, note = importance
    write_atomically(page, render(loaded, whole, losses, note, rows, kpi=kpi).encode())


def _show_whole(
    whole: Explained, losses: Sequence[Importance], note: str, *, as_json: bool
) -> None:
    from loopcast.cli.tables import print_json, print_rows, terminal

    rows = _features(whole, losses)
    if as_json:
        print_json({"method": whole.method, "note": note, "features": rows})
        return
    console = terminal()
    print_rows(
        console,
        f"over {whole.rows} rows; contributions: {whole.method}",
        ["feature", "loss without it", "95% interval", "adds", "first reason", "slack moves"],
        (
            [
                item["feature"],
                _short(item["loss"]),
                " to ".join(map(_short, item["interval"] or (None,))),
                _short(item["contribution"]),
                "–" if item["first_reason"] is None else f"{item['first_reason']:.0%}",
                _short(item["moves"]),
            ]
            for item in rows
        ),
        numbers_from=1,
    )
    if note:
        console.print(f"importance was not measured: {note}", soft_wrap=True)


def _features(whole: Explained, losses: Sequence[Importance]) -> list[dict[str, Any]]:
    """Return what is known of each feature; ``None`` for what is not."""
    loss = {one.feature: one.loss for one in losses}
    moved = {name: float(move.max()) for name, move in whole.probed.alone.items()}
    summaries = {one.part: one for one in whole.parts}
    return [
        {
            "feature": name,
            "loss": loss[name].value if name in loss else None,
            "interval": loss[name].interval(0.95) if name in loss else None,
            "contribution": summaries[name].size if name in summaries else None,
            "first_reason": summaries[name].first if name in summaries else None,
            "moves": moved.get(name),
        }
        for name in dict.fromkeys([*loss, *summaries, *moved])
    ]


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value + 0.0:.3g}"  # no −0


def _show_rows(loaded: LoadedVersion, rows: Sequence[ExplainedRow], *, as_json: bool) -> None:
    from loopcast.cli.tables import print_json, print_rows, terminal
    from loopcast.web.explain.words import change_text, outcome_text, parts_of

    if as_json:
        print_json([_plain(one) for one in rows])
        return
    features, console = loaded.schema.features, terminal()  # type: ignore[union-attr]
    for one in rows[:SHOWN]:
        print_rows(
            console,
            f"{one.row.index[0]}: {outcome_text(one)}",
            ["feature", "value", "adds to the log-odds"],
            ([p.title, p.value, f"{p.added:+.4f}"] for p in parts_of(one, features)),
            numbers_from=2,
        )
        for found in one.whatif or ():
            console.print(f"  what if  {change_text(found, features)}", soft_wrap=True)
        if one.whatif == ():
            console.print("  what if  no change that can be asked for flips the decision")
    if len(rows) > SHOWN:
        console.print(f"and {len(rows) - SHOWN} more; --json prints all of them")


def _plain(one: ExplainedRow) -> dict[str, Any]:
    found = one.contributions
    return {
        "key": str(one.row.index[0]),
        "probability": one.probability,
        "granted": one.granted,
        "action": one.action,
        "beyond": one.beyond,
        "base": found.base,
        "added": dict(zip(found.parts, found.added[0].tolist(), strict=True)),
        "method": found.method,
        "what_if": one.whatif,
    }
