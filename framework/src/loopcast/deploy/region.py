"""The reject region of an earlier logical model: found in the catalog, kept in bundles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from loopcast.api import (
    ConfigurationError,
    GateError,
    LogicalModel,
    Name,
    Record,
    ScoreSchema,
    Share,
    Template,
    TemplateName,
    VersionId,
)
from loopcast.api.formats import json_bytes, read_json
from loopcast.deploy.bundle import read_bundle
from loopcast.deploy.limits import files_below
from loopcast.deploy.loaded import MODEL, load_model, schema_of
from loopcast.deploy.lot import drawn, salt_of
from loopcast.develop.decision import Decision, Side
from loopcast.develop.score.decisions import decision_of
from loopcast.develop.score.finished import CALIBRATION_FILE
from loopcast.develop.score.region import Region

if TYPE_CHECKING:
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home

BEFORE = "before/"
"""Where a bundle keeps the files of the version that decides before it."""

REGION_FILE = f"{BEFORE}region.json"


class _Kept(Record, frozen=True):
    """What a bundle says of the version that decides before it."""

    logical_model: Name
    version: VersionId
    template: TemplateName
    cutoff: Share
    favourable: Side
    accept_at_random: Share
    lot: str


def find_region(home: Home, plugins: PluginManager, model: LogicalModel) -> Region | None:
    """Return what the champion refuses that decides before a logical model; ``None`` for none.

    Raises
    ------
    NotFoundError, GateError
        Where the earlier logical model is not known, or has no champion.
    ConfigurationError
        Where it does not decide by a score, or by what the later one does not know.
    """
    if model.follows is None:
        return None
    earlier = home.catalog.logical_model(model.follows)
    decision = decision_of(earlier.decision)
    if not isinstance(earlier.schema, ScoreSchema) or decision is None:
        raise ConfigurationError(
            f"logical_model.follows: {earlier.name} decides by no cut-off of a score; set its "
            "decision.cutoff or decision.profits"
        )
    champion = home.catalog.champion(earlier.name)
    if champion is None:
        raise GateError(
            f"logical model {model.name} follows {earlier.name}, which has no champion; release "
            "one before"
        )
    files = read_bundle(home.artifacts, champion.manifest).files
    kept = _Kept(
        logical_model=earlier.name,
        version=champion.id,
        template=champion.template,
        cutoff=decision.cutoff,
        favourable=decision.favourable,
        accept_at_random=earlier.decision.accept_at_random,
        lot=earlier.decision.lot,
    )
    region = _region(kept, files, plugins.template)
    _check_features(region, schema_of(files), model)
    return region


def _check_features(region: Region, earlier: Any, model: LogicalModel) -> None:
    assert isinstance(model.schema, ScoreSchema)
    for name in region.features:
        mine, its = model.schema.features.get(name), earlier.features[name]
        if mine is None or mine.kind != its.kind:
            raise ConfigurationError(
                f"logical_model.schema.features: {model.name} follows {region.logical_model}, "
                f"which decides by {name!r}, a {its.kind}; add it, with used: false if the score "
                "is not to see it"
            )


def read_region(
    files: Mapping[str, bytes], find: Callable[[str], Template[Any, Any]]
) -> Region | None:
    """Return the region that a version was trained behind; ``None`` where nothing is before it.

    Parameters
    ----------
    files
        Of the version's bundle.
    find
        Returns the template of a name.
    """
    if REGION_FILE not in files:
        return None
    kept = msgspec.convert(read_json(files[REGION_FILE]), _Kept)
    return _region(kept, files_below(BEFORE, files), find)


def _region(
    kept: _Kept, files: Mapping[str, bytes], find: Callable[[str], Template[Any, Any]]
) -> Region:
    schema = schema_of(files)
    assert isinstance(schema, ScoreSchema)
    needed = {n: data for n, data in files.items() if _decides(n)}
    return Region(
        logical_model=kept.logical_model,
        version=kept.version,
        decision=Decision(cutoff=kept.cutoff, favourable=kept.favourable),
        drawn=partial(
            drawn, salt=salt_of(kept.logical_model, kept.lot), share=kept.accept_at_random
        ),
        features=tuple(name for name, feature in schema.features.items() if feature.used),
        model=load_model("score", files, find(kept.template), find),
        files={
            REGION_FILE: json_bytes(msgspec.to_builtins(kept)),
            **{f"{BEFORE}{name}": data for name, data in needed.items()},
        },
    )


def _decides(name: str) -> bool:
    """Tell whether a file of a bundle is needed to decide as its version does."""
    return name.startswith(MODEL) or name in (CALIBRATION_FILE, "schema.json")
