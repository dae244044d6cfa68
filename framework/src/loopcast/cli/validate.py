"""``loopcast validate``: run the gates that the policy demands of a version."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from loopcast.cli.selection import json_option, policy_options, selected, version_options
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import GateResult, Policy, Version
    from loopcast.store.home import Home


@click.command()
@store_options
@policy_options
@version_options
@click.option(
    "--gate", "gates", multiple=True, metavar="NAME", help="Only this one; nothing is stored then."
)
@click.option("--by", default="loopcast", show_default=True, metavar="NAME", help="Who asks.")
@click.option("--workers", type=click.IntRange(1), default=1, help="Processes for the gates.")
@json_option
def validate(
    *,
    place: Home,
    policy: Policy,
    which: dict[str, Any],
    gates: tuple[str, ...],
    by: str,
    workers: int,
    as_json: bool,
) -> None:
    """Run the gates that the risk class of each VERSION demands, and store what they found.

    Each test of a gate says what it expects and what it measured. The exit code is 1 where one
    fails; a version that failed is not released.
    """
    from loopcast.cli import plugin_manager
    from loopcast.deploy.validation import demanded, subject_for, validate_versions
    from loopcast.develop.engine import engine_for
    from loopcast.settings import EngineSettings
    from loopcast.validate.run import run_gates

    plugins, processes = plugin_manager(), EngineSettings(name="local", workers=workers)
    with place.catalog as catalog, engine_for(processes) as engine:
        versions = [standing.version for standing in selected(catalog, which)]
        if gates:
            found = []
            for version in versions:
                row = policy.row(catalog.logical_model(version.logical_model))
                wanted = demanded(row, plugins, gates)
                found.append(
                    run_gates(subject_for(place, plugins, version, wanted), wanted, engine)
                )
        else:
            validations = validate_versions(place, plugins, policy, versions, engine, by=by)
            found = [validation.results for validation in validations]
    _print(versions, found, as_json=as_json)
    sys.exit(0 if all(result.passed for results in found for result in results) else 1)


def _print(
    versions: Sequence[Version], found: Sequence[tuple[GateResult, ...]], *, as_json: bool
) -> None:
    from loopcast.cli.tables import place_of, print_json, print_rows, terminal

    if as_json:
        print_json({v.id: results for v, results in zip(versions, found, strict=True)})
        return
    for version, results in zip(versions, found, strict=True):
        failed = sum(not result.passed for result in results)
        verdict = f"{failed} of {len(results)} tests failed" if failed else "all tests passed"
        print_rows(
            terminal(),
            f"version {version.id} of {place_of(version)}: {verdict}",
            ["gate", "test", "result", "expected", "measured"],
            (
                [r.gate, r.test, "passed" if r.passed else "FAILED", r.expectation, r.measured]
                for r in results
            ),
        )
