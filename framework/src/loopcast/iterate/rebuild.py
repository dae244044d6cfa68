"""Rebuilding a version from what its bundle keeps: the same data and settings, trained again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from loopcast.api import BundleFile, Manifest, NotFoundError, Task, Version, VersionId
from loopcast.api.formats import read_npz
from loopcast.deploy.bundle import encode_manifest, read_bundle
from loopcast.develop.judged import JUDGED_FILE, champion_label, read_judged
from loopcast.iterate.again import read_again
from loopcast.iterate.checking import check
from loopcast.iterate.registering import Ready, ready
from loopcast.iterate.retrain.champion import beside_champion, champions_of, followed
from loopcast.iterate.retrain.treatment import RETRAINING_FILE, WEIGHTS_FILE
from loopcast.iterate.settings_file import SETTINGS_FILE, TrainingSettings, read_settings
from loopcast.iterate.tasks import Champion, alone, steps_of
from loopcast.iterate.verdict import Verdict

if TYPE_CHECKING:
    from loopcast.api import Engine, Files
    from loopcast.deploy.bundle import Bundle
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home

TOLERANCE = 1e-6
"""Largest relative difference of predictions that counts as the same model."""


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """How a version that was trained again compares with the registered one.

    Attributes
    ----------
    identical
        Whether every bit of the bundle is the same.
    difference
        Largest difference of its predictions on judged rows and test scenarios, relative to the
        largest of them; infinite where they are not of the same rows.
    tolerance
        Up to which difference it counts as reproduced.
    files
        Names of files that differ.
    environment
        Packages of another version now, as ``name then → now``.
    """

    version: str
    identical: bool
    difference: float
    tolerance: float
    files: tuple[str, ...]
    environment: tuple[str, ...]

    @property
    def reproduced(self) -> bool:
        """Whether it is the same within the tolerance."""
        return self.identical or self.difference <= self.tolerance


def rebuild(
    home: Home,
    plugins: PluginManager,
    version: Version,
    engine: Engine,
    *,
    base: Path,
    tolerance: float = TOLERANCE,
) -> Rebuilt:
    """Train a version again from its bundle, and compare; nothing is registered.

    Parameters
    ----------
    base
        Folder that relative paths to data start from.

    Raises
    ------
    DataError
        Where the data is gone, or is not what the version was trained on.
    IntegrityError
        Where the bundle is damaged, or does not keep the settings of its training.
    NotFoundError
        Where the champion that it was judged beside is gone.
    """
    bundle = read_bundle(home.artifacts, version.manifest)
    settings = read_settings(bundle.files)
    again = _train(home, plugins, bundle, settings, engine=engine, base=base)
    manifest = _with_files(again)
    identical = sha256(encode_manifest(manifest)).hexdigest() == version.manifest
    return Rebuilt(
        version=version.id,
        identical=identical,
        difference=0.0 if identical else _difference(bundle.files, again.files),
        tolerance=tolerance,
        files=_differing(bundle.manifest, manifest),
        environment=_moved(bundle.manifest.environment, manifest.environment),
    )


def _train(
    home: Home,
    plugins: PluginManager,
    bundle: Bundle,
    settings: TrainingSettings,
    *,
    engine: Engine,
    base: Path,
) -> Ready:
    again = read_again(plugins, bundle, settings, base=base)
    done, segment = again.retraining, bundle.manifest.segment
    checked = check(again.course, again.known, again.source, None)
    task = settings.logical_model.task
    steps = steps_of(task)
    champion = None if done is None else _champion(home, plugins, bundle, done.champion, task)
    known = {segment: followed(again.known, again.course, champion)}
    contest = alone(steps.contest(again.course, known, engine, lambda _: None))
    rows = again.known if done is not None and done.remedy == "reweight" else again.whole
    contest = beside_champion(contest, again.whole_course, rows, champion)
    made = alone(steps.finish(again.course, {segment: contest}, engine, lambda _: None))
    kept = (SETTINGS_FILE, RETRAINING_FILE, WEIGHTS_FILE)
    extra = {name: bundle.files[name] for name in kept if name in bundle.files}
    return ready(again.course, again.known, made, checked, extra)


def _champion(
    home: Home, plugins: PluginManager, bundle: Bundle, name: VersionId | None, task: Task
) -> Champion | Verdict | None:
    """Load the champion that a version was judged beside, at which it may have begun.

    Raises
    ------
    NotFoundError
        Where it is gone.
    """
    if name is None:
        return None
    segment, champions = bundle.manifest.segment, champions_of(home, plugins, [name])
    if segment not in champions.versions:
        raise NotFoundError(
            f"version {bundle.digest[:16]} was trained beside champion {name}, which the catalog "
            "does not have; restore it as it was"
        )
    champion = champions.load(segment, champions.bundle(segment, home.artifacts), task)
    judged = read_judged(bundle.files[JUDGED_FILE], task)
    if isinstance(champion, Verdict) and champion_label(name) in judged.outcomes:
        raise NotFoundError(
            f"version {bundle.digest[:16]} was judged beside champion {name}, which cannot be "
            f"loaded any more: {champion.reason}"
        )
    return champion


def _with_files(again: Ready) -> Manifest:
    files = {
        name: BundleFile(sha256=sha256(data).hexdigest(), size=len(data))
        for name, data in again.files.items()
    }
    return msgspec.structs.replace(again.manifest, files=files)


def _differing(before: Manifest, after: Manifest) -> tuple[str, ...]:
    names = before.files.keys() | after.files.keys()
    return tuple(sorted(n for n in names if before.files.get(n) != after.files.get(n)))


def _moved(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    names = sorted(before.keys() | after.keys())
    return tuple(
        f"{name} {before.get(name, 'absent')} → {after.get(name, 'absent')}"
        for name in names
        if before.get(name) != after.get(name)
    )


def _difference(before: Files, after: Files) -> float:
    """Return the largest difference of what was predicted for judged rows and scenarios."""
    names = [n for n in before if n == "judged.npz" or n.startswith("scenarios/")]
    if any(name not in after for name in names):
        return float("inf")
    return max((_array_difference(before[name], after[name]) for name in names), default=0.0)


def _array_difference(before: bytes, after: bytes) -> float:
    old, new = read_npz(before), read_npz(after)
    if {n: a.shape for n, a in old.items()} != {n: a.shape for n, a in new.items()}:
        return float("inf")
    worst = 0.0
    for name, values in old.items():
        if not np.issubdtype(values.dtype, np.floating):
            if not np.array_equal(values, new[name]):
                return float("inf")
        elif values.size:
            scale = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
            gap = np.abs(values.astype(np.float64) - new[name])
            same = np.array_equal(np.isnan(values), np.isnan(new[name]))
            worst = max(worst, float(np.nanmax(gap, initial=0.0)) / scale if same else np.inf)
    return worst
