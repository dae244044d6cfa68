"""Releases: who serves, and how versions come to serve and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from loopcast.api import (
    GateError,
    Goal,
    IntegrityError,
    ModelError,
    NotFoundError,
    Policy,
    Segment,
    Stage,
    StoreError,
    Version,
    VersionId,
    place_name,
)
from loopcast.deploy.bundle import read_bundle, read_file
from loopcast.develop.documentation import ALTERNATIVE_FILE
from loopcast.govern.demands import reviewer
from loopcast.store.catalog import Catalog, Move, Return, Standing
from loopcast.store.home import Home

_NOT_INTACT = (IntegrityError, NotFoundError, ModelError)


def segments_of(
    catalog: Catalog, logical_model: str, pattern: str | None = None, *, all_segments: bool = False
) -> tuple[Segment, ...]:
    """Return the segments that a pattern selects.

    Parameters
    ----------
    pattern
        Shell-like: ``north-*``; ``None`` for the one segment of a logical model without a family.
    all_segments
        Select every one.

    Raises
    ------
    NotFoundError
        When the logical model is unknown, or none of its segments matches.
    StoreError
        When the logical model is a family, and it was not said which members are meant.
    """
    catalog.logical_model(logical_model)
    known = catalog.segments(logical_model)
    if pattern is None and not all_segments:
        if known and known != ("",):
            raise StoreError(
                f"{logical_model} is a family of {len(known)} segments ({_some(known)}); "
                "say which with --segment PATTERN, or --all-segments"
            )
        return ("",)
    found = tuple(s for s in known if pattern is None or fnmatchcase(s, pattern))
    if not found:
        raise NotFoundError(
            f"no segment of {logical_model} matches {pattern!r}; there are {_some(known) or 'none'}"
        )
    return found


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown + (" and more" if len(names) > 3 else "")


def release(
    home: Home,
    standings: Iterable[Standing],
    goal: Goal,
    policy: Policy,
    *,
    by: str,
    reason: str,
    share: float | None = None,
    at: datetime | None = None,
) -> frozenset[VersionId]:
    """Move versions to a stage, all or none, after everything that the policy demands.

    Parameters
    ----------
    at
        The moment of the move; now by default.

    Returns
    -------
    frozenset of str
        The versions that moved; others are in the stage already, and stay as they are.

    Raises
    ------
    GateError
        Listing everything that is missing.
    IntegrityError
        When the files of a version are not those of its manifest.
    SwitchError
        When a segment is frozen.
    StoreError
        When a segment would have two canaries or no champion.
    """
    standings = list(standings)
    moves = [
        Move(
            logical_model=standing.version.logical_model,
            segment=standing.version.segment,
            version=standing.version.id,
            stage=goal,
            by=by,
            reason=reason,
            share=share,
        )
        for standing in standings
    ]
    require_intact(home, [move.version for move in moves])
    _require_signed(home, standings, goal)
    models = {model.name: model for model in home.catalog.logical_models()}
    home.catalog.put_policy(policy, by=by)
    review = reviewer(moves, models, policy)
    return home.catalog.release_all(moves, at=at, review=review, policy=policy.name)


def _require_signed(home: Home, standings: Iterable[Standing], goal: Goal) -> None:
    """Refuse alternatives that nobody has signed, whatever the policy demands."""
    for standing in standings:
        for reason in unsigned(home, standing, goal):
            raise GateError(f"version {standing.version.id}: {reason}")


def unsigned(home: Home, standing: Standing, goal: Goal) -> tuple[str, ...]:
    """Say what an alternative lacks for a move beside what the policy demands, a sentence each."""
    label = label_of(home, standing.version)
    signed = any(item.move == goal for item in standing.sign_offs)
    if not label or goal == "staging" or signed:
        return ()
    return (
        f"it is an alternative ({label}): to choose it is a decision that a person signs; "
        f"'loopcast sign {standing.version.id} --role ROLE --for {goal} --by NAME --statement "
        "TEXT' records one",
    )


def label_of(home: Home, version: Version) -> str:
    """Return what a version is labelled as, where it is an alternative; empty elsewhere."""
    return (read_file(home.artifacts, version.manifest, ALTERNATIVE_FILE) or b"").decode()


def require_intact(home: Home, versions: Iterable[VersionId]) -> None:
    """Check every file of versions against its digest.

    Raises
    ------
    IntegrityError
        Naming the version and what is wrong with its files.
    """
    for version in versions:
        try:
            read_bundle(home.artifacts, home.catalog.version(version).manifest)
        except _NOT_INTACT as error:
            raise IntegrityError(f"version {version} is not intact: {error}") from None


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """What a rollback did to one segment.

    Attributes
    ----------
    went, came
        The champion that gave way, and the one that came back.
    skipped
        Earlier champions in between whose files are damaged.
    """

    segment: Segment
    went: VersionId
    came: VersionId
    skipped: tuple[VersionId, ...]


def roll_back(
    home: Home, logical_model: str, segments: Sequence[Segment], *, by: str, reason: str
) -> tuple[RolledBack, ...]:
    """Return segments to their last good champion, all or none.

    Good is one that was champion before, was not rolled back from since, and whose files are
    intact.

    Raises
    ------
    NotFoundError
        When a segment has no champion, or no good one before it.
    ConflictError
        When another process moved a champion first.
    SwitchError
        When a segment is frozen.
    """
    reigns = home.catalog.reigns(logical_model, segments)
    done = tuple(
        _last_good(home, logical_model, name, reigns.get(name, ()))
        for name in dict.fromkeys(segments)
    )
    returns = [
        Return(
            logical_model=logical_model,
            segment=item.segment,
            champion=item.went,
            version=item.came,
        )
        for item in done
    ]
    home.catalog.roll_back(returns, by=by, reason=reason)
    return done


def _last_good(
    home: Home, logical_model: str, segment: Segment, reign: Sequence[VersionId]
) -> RolledBack:
    place = place_name(logical_model, segment)
    if not reign:
        raise NotFoundError(f"{place} has no champion to roll back from")
    went, *before = reign
    damaged: list[VersionId] = []
    for version in before:
        if _intact(home, version):
            return RolledBack(segment=segment, went=went, came=version, skipped=tuple(damaged))
        damaged.append(version)
    others = f"; the files of {', '.join(damaged)} are damaged" if damaged else ""
    raise NotFoundError(
        f"{place} has no good champion before {went} to return to{others}. Release another "
        f"version, or 'loopcast switch {logical_model} off'"
    )


def _intact(home: Home, version: VersionId) -> bool:
    try:
        require_intact(home, [version])
    except IntegrityError:
        return False
    return True


def newest_in_stage(
    catalog: Catalog, logical_model: str, segments: Sequence[Segment], stage: Stage
) -> list[VersionId]:
    """Return the newest version of each segment that is in a stage.

    Raises
    ------
    NotFoundError
        When a segment has none.
    """
    found = catalog.newest_in_stage(logical_model, stage)
    absent = [name for name in segments if name not in found]
    if absent:
        lacking = f"{logical_model} has no version in the stage {stage}"
        if list(segments) == [""]:
            raise NotFoundError(f"{lacking}; name a VERSION, or another stage by --in")
        raise NotFoundError(
            f"{lacking} for {len(absent)} of {len(segments)} segments: {_some(absent)}"
        )
    return [found[name] for name in segments]
