"""Comparison of registered versions by what their bundles keep of their contests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopcast.api import (
    DataError,
    IntegrityError,
    Judged,
    LogicalModel,
    Manifest,
    MetricDefinition,
    Version,
)
from loopcast.deploy.bundle import read_file, read_manifest
from loopcast.develop.compare import Comparison, compare
from loopcast.develop.judged import JUDGED_FILE, read_judged
from loopcast.develop.pairing import comparable, pair

if TYPE_CHECKING:
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home

CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False, kw_only=True)
class ComparedVersions:
    """Two versions, and what tells them apart.

    Attributes
    ----------
    judged
        Both versions' predictions on the same rows, by their ids.
    """

    logical_model: LogicalModel
    versions: tuple[Version, Version]
    manifests: tuple[Manifest, Manifest]
    judged: Judged
    metrics: Sequence[MetricDefinition]
    comparison: Comparison


def judged_of(home: Home, version: Version) -> Judged:
    """Read what a version's contest left behind, without the rest of its bundle.

    Raises
    ------
    IntegrityError
        Where its bundle has no judged rows.
    """
    content = read_file(home.artifacts, version.manifest, JUDGED_FILE)
    if content is None:
        raise IntegrityError(
            f"the bundle of version {version.id} has no {JUDGED_FILE}, from which versions are "
            "compared row by row; train it again with this release of loopcast"
        )
    task = home.catalog.logical_model(version.logical_model).task
    return read_judged(content, task)


def settings_that_differ(first: Manifest, second: Manifest) -> list[tuple[str, str, str]]:
    """Return what differs in how two versions were made: name, of the first, of the second."""
    one, two = settings_of(first), settings_of(second)
    return [
        (name, one.get(name, ""), two.get(name, ""))
        for name in dict.fromkeys([*one, *two])
        if one.get(name) != two.get(name)
    ]


def settings_of(manifest: Manifest) -> dict[str, str]:
    """Return how a version was made, by name: template, hyperparameters, data, environment."""
    plugin = manifest.plugin
    parts: dict[str, object] = {
        "template": manifest.template,
        "package": f"{plugin.package} {plugin.package_version}",
        **_flat("", manifest.hyperparameters),
        "seed": manifest.seed,
        "training data": ", ".join(data.fingerprint[:12] for data in manifest.datasets),
        **manifest.environment,
    }
    return {name: str(value) for name, value in parts.items()}


def _flat(prefix: str, values: Mapping[str, object]) -> dict[str, object]:
    """Return nested hyperparameters by their dotted names."""
    found: dict[str, object] = {}
    for name, value in values.items():
        inner = _flat(f"{prefix}{name}.", value) if isinstance(value, Mapping) else None
        found |= inner or {f"{prefix}{name}": value}
    return found


def compare_versions(
    home: Home, plugins: PluginManager, first: str, second: str
) -> ComparedVersions:
    """Compare two versions, given by their ids or beginnings of them.

    Raises
    ------
    DataError
        Where both are the same version.
    NotFoundError
        Where one does not exist, or both were not judged on the same data in the same way.
    IntegrityError
        Where a bundle lacks its judged rows, or they are not the same ones.
    """
    one, two = home.catalog.version(first), home.catalog.version(second)
    if one.id == two.id:
        raise DataError(f"{first} and {second} are the same version, {one.id}; name another one")
    shared = comparable(home.catalog.evaluations(one.id), home.catalog.evaluations(two.id))
    manifests = tuple(read_manifest(home.artifacts, version.manifest) for version in (one, two))
    contests = [judged_of(home, version) for version in (one, two)]
    judged = pair(contests[0], contests[1], (one.id, two.id))
    model = home.catalog.logical_model(two.logical_model)
    metrics = plugins.metrics_of(model)
    return ComparedVersions(
        logical_model=model,
        versions=(one, two),
        manifests=(manifests[0], manifests[1]),
        judged=judged,
        metrics=metrics,
        comparison=Comparison(
            first=one.id,
            second=two.id,
            dataset=shared.dataset,
            protocol=shared.protocol,
            confidence=CONFIDENCE,
            differences=compare(judged, one.id, two.id, metrics, model.kpi, confidence=CONFIDENCE),
        ),
    )
