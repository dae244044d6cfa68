"""Releasing what training has registered, where it has earned it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loopcast.api import Evaluation, Stage, Version, VersionId
from loopcast.store.catalog import Move

if TYPE_CHECKING:
    from loopcast.develop.course import Course
    from loopcast.iterate.registering import Registered
    from loopcast.store.home import Home


def release_if_better(
    course: Course[Any], items: Sequence[Registered], home: Home
) -> dict[VersionId, Stage]:
    """Make each version champion of its segment if it has earned it, else challenger.

    It has to pass its gates, else it stays a candidate, and to beat the champion on the key
    metric where both were judged on the same data in the same way. A champion that was judged on
    other data gives way: the new version has beaten its baselines on the data that counts now.

    Returns
    -------
    dict
        The stage of each version.
    """
    passed = [item for item in items if all(gate.passed for gate in item.made.gates)]
    name = course.logical_model.name
    champions = home.catalog.champions(name, [item.version.segment for item in passed])
    moves = [
        move
        for item in passed
        if (move := _move(course, item, champions.get(item.version.segment), home)) is not None
    ]
    home.catalog.release_all(moves)
    stages: Mapping[VersionId, Stage] = {move.version: move.stage for move in moves}
    return {
        item.version.id: stages.get(item.version.id) or home.catalog.stage(item.version.id)
        for item in items
    }


def _move(
    course: Course[Any], item: Registered, champion: Version | None, home: Home
) -> Move | None:
    version = item.version
    if champion is not None and champion.id == version.id:
        return None
    stage, reason = _verdict(course, item.made.evaluations[0], champion, home)
    return Move(
        logical_model=version.logical_model,
        segment=version.segment,
        version=version.id,
        stage=stage,
        by="loopcast",
        reason=reason,
    )


def _verdict(
    course: Course[Any], own: Evaluation, champion: Version | None, home: Home
) -> tuple[Stage, str]:
    if champion is None:
        return "champion", "first version to pass its gates"
    rivals = [
        rival
        for rival in home.catalog.evaluations(champion.id)
        if (rival.dataset, rival.protocol) == (own.dataset, own.protocol)
    ]
    if not rivals:
        return "champion", f"champion {champion.id} was judged on other data"
    kpi = course.logical_model.kpi
    mine, theirs = own.value(kpi.metric), rivals[0].value(kpi.metric)
    better = mine is not None and theirs is not None and kpi.better(mine, theirs)
    reason = f"{kpi.metric} {mine} against {theirs} of champion {champion.id}"
    return ("champion" if better else "challenger"), reason
