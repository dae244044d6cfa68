"""The state machine of one place: a logical model and segment on a device.

Pure: :func:`step` takes a state and what happened, and returns the next state and what has to be
done, in order. It reads no clock and touches no file, so that it can be driven through every course
of events. What must survive a power cut is in :class:`Place`, which is replaced as a whole at one
moment: that is the switch between the two slots, ``active`` and ``previous``.

A package goes through these stages::

    fetching ─▶ verifying ─▶ trial ─▶ running
        │           │          │
        └─ refused ◀┘          └─▶ returned: the package before is active again
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Optional, Union

import msgspec

from loopcast_edge.wire.messages import Role, Stage

MOST_CRASHES = 3
MOST_ENDED = 16
SAVED_EVERY_S = 600.0


class Ended(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package that was refused or returned from, and is not tried again unasked."""

    manifest: str
    stage: Literal["refused", "returned"]
    reason: str
    role: Role = "champion"


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What outlives a power cut.

    Attributes
    ----------
    active
        Digest of the manifest of the package that predicts.
    previous
        The last good one before it, to fall back on.
    shadow
        The one that predicts beside it.
    on_trial
        Whether the active one has still to prove itself.
    healthy_s
        Healthy seconds since the switch to the active one, by a clock that does not step.
    crashes
        How often in a row the process died since the active one was switched to.
    ended
        Packages that did not come through, oldest first.
    """

    active: Optional[str] = None
    previous: Optional[str] = None
    shadow: Optional[str] = None
    on_trial: bool = False
    healthy_s: float = 0.0
    crashes: int = 0
    ended: tuple[Ended, ...] = ()


class Candidate(NamedTuple):
    """A package on its way into a slot; ``back`` where it is older than one that ran here."""

    manifest: str
    role: Role
    stage: Literal["fetching", "verifying"] = "fetching"
    back: bool = False


class State(NamedTuple):
    """All that the machine knows; only ``place`` outlives the process.

    Until the centre is ``heard``, nothing is known of what is wanted, and all runs on as it did.
    """

    place: Place = Place()
    heard: bool = False
    champion: Optional[str] = None
    shadow: Optional[str] = None
    candidate: Optional[Candidate] = None
    saved_s: float = 0.0


class Wanted(NamedTuple):
    """The centre says what is to run here; ``None`` for nothing.

    What was refused is tried again if it says so ``anew``; what was returned from is not.
    """

    champion: Optional[str]
    shadow: Optional[str] = None
    anew: bool = False


class Started(NamedTuple):
    """The process has started; ``crashed`` if the last one died under this same boot."""

    crashed: bool


class Fetched(NamedTuple):
    """Manifest and file of a package are there, and what was signed holds.

    It is ``back`` where a signed order goes back to it from a newer one.
    """

    manifest: str
    back: bool = False


class Proved(NamedTuple):
    """The package has answered its golden vectors as it should."""

    manifest: str


class Refused(NamedTuple):
    """The package cannot be used here."""

    manifest: str
    reason: str


class Judged(NamedTuple):
    """The trial of a package has come to a verdict."""

    manifest: str
    good: bool
    reason: str = ""


class Broken(NamedTuple):
    """A package in a slot is damaged on the disk: it has to be fetched again."""

    manifest: str


class Passed(NamedTuple):
    """Time has passed, all predictions being healthy, by a clock that does not step."""

    seconds: float


class Retry(NamedTuple):
    """Packages that were refused or returned may be tried again."""


Happening = Union[Wanted, Started, Fetched, Proved, Refused, Judged, Broken, Passed, Retry]


class Fetch(NamedTuple):
    """Bring manifest and file of a package, and check all that is signed."""

    manifest: str


class Prove(NamedTuple):
    """Run the golden vectors of a package where a crash harms nobody."""

    manifest: str


class Accept(NamedTuple):
    """Note the sequence of a package as the highest accepted, outside the slots."""

    manifest: str


class Save(NamedTuple):
    """Replace the place on the disk at one moment."""

    place: Place


class Load(NamedTuple):
    """Load the models of the place anew, and drop the files of packages in no slot."""

    place: Place


Effect = Union[Fetch, Prove, Accept, Save, Load]
Step = tuple[State, tuple[Effect, ...]]


def step(state: State, happened: Happening) -> Step:
    """Return the next state, and what has to be done, in this order."""
    return HANDLERS[type(happened)](state, happened)


def stage(state: State, manifest: str) -> Optional[Stage]:
    """Return how far a package has come, or ``None`` where the place does not know it."""
    place = state.place
    if manifest == place.active:
        return "trial" if place.on_trial else "running"
    if manifest == place.shadow:
        return "running"
    if state.candidate is not None and manifest == state.candidate.manifest:
        return state.candidate.stage
    return next((each.stage for each in place.ended if each.manifest == manifest), None)


def _retried(state: State, _: Retry) -> Step:
    """Forget what did not come through, so that it is tried again."""
    return _saved(state, msgspec.structs.replace(state.place, ended=()))


def _started(state: State, happened: Started) -> Step:
    """Load what is in the slots; one with which the process died too often is returned from."""
    place = state.place
    state = state._replace(saved_s=place.healthy_s)
    if not happened.crashed or place.active is None:
        return state, (Load(place),)
    place = msgspec.structs.replace(place, crashes=place.crashes + 1)
    if place.crashes >= MOST_CRASHES and (place.on_trial or place.previous):
        return _returned(state, f"the process died {place.crashes} times with it")
    return state._replace(place=place), (Save(place), Load(place))


def _wanted(state: State, happened: Wanted) -> Step:
    """Note what is wanted, and go on towards it."""
    place = state.place
    if happened.anew:
        returned = tuple(each for each in place.ended if each.stage == "returned")
        place = msgspec.structs.replace(place, ended=returned)
    state = state._replace(heard=True, champion=happened.champion, shadow=happened.shadow)
    return _next(state, ()) if place == state.place else _saved(state, place)


def _next(state: State, before: tuple[Effect, ...]) -> Step:
    """Go on towards what is wanted: leave what is not, then fetch one package after the other."""
    if not state.heard:
        return state, before
    place, effects = _left(state)
    ended = {each.manifest for each in place.ended}
    wanted: tuple[tuple[Optional[str], Role, Optional[str]], ...] = (
        (state.champion, "champion", place.active),
        (state.shadow, "shadow", place.shadow),
    )
    for manifest, role, present in wanted:
        if manifest is not None and manifest not in ended | {present}:
            return _towards(state._replace(place=place), manifest, role, before + effects)
    return state._replace(place=place, candidate=None), before + effects


def _towards(state: State, manifest: str, role: Role, effects: tuple[Effect, ...]) -> Step:
    candidate = state.candidate
    if candidate is not None and (candidate.manifest, candidate.role) == (manifest, role):
        return state, effects
    fresh = Candidate(manifest, role)
    return state._replace(candidate=fresh), (*effects, Fetch(manifest))


def _left(state: State) -> tuple[Place, tuple[Effect, ...]]:
    """Empty the slots of what is wanted no more; the active one stays until there is another."""
    place = state.place
    if state.champion is None and place.active is not None:
        place = Place(shadow=place.shadow, ended=place.ended)
    if place.shadow not in (None, state.shadow):
        place = msgspec.structs.replace(place, shadow=None)
    return place, () if place == state.place else (Save(place), Load(place))


def _about_candidate(state: State, happened: Union[Fetched, Proved, Refused]) -> Step:
    """Take the candidate a stage further; news of another package are old, and ignored."""
    candidate = state.candidate
    if candidate is None or candidate.manifest != happened.manifest:
        return state, ()
    if isinstance(happened, Refused):
        ended = Ended(candidate.manifest, "refused", happened.reason, candidate.role)
        return _saved(state._replace(candidate=None), _with(state.place, ended))
    if isinstance(happened, Fetched):
        if candidate.stage != "fetching":
            return state, ()
        verifying = candidate._replace(stage="verifying", back=happened.back)
        return state._replace(candidate=verifying), (Prove(candidate.manifest),)
    if candidate.stage != "verifying":
        return state, ()
    return _switched(state._replace(candidate=None), candidate)


def _switched(state: State, candidate: Candidate) -> Step:
    """Put a package that is proved into its slot.

    One that the fleet goes back to is the good one: what it was taken back from is nothing to
    return to, nor to be compared with.
    """
    old = state.place
    if candidate.role == "shadow":
        place = msgspec.structs.replace(old, shadow=candidate.manifest)
        return _next(state._replace(place=place), (Save(place), Load(place)))
    last_good = old.previous if old.on_trial else old.active
    place = Place(
        active=candidate.manifest,
        previous=None if candidate.back else last_good,
        shadow=None if old.shadow == candidate.manifest else old.shadow,
        on_trial=not candidate.back,
        ended=old.ended,
    )
    effects = (Accept(candidate.manifest), Save(place), Load(place))
    return _next(state._replace(place=place, saved_s=0.0), effects)


def _judged(state: State, happened: Judged) -> Step:
    place = state.place
    if happened.manifest != place.active or not place.on_trial:
        return state, ()
    if not happened.good:
        return _returned(state, happened.reason)
    return _saved(state, msgspec.structs.replace(place, on_trial=False, crashes=0))


def _returned(state: State, reason: str) -> Step:
    """Go back from the active package to the one before."""
    old = state.place
    assert old.active is not None
    ended = Ended(old.active, "returned", reason)
    place = _with(Place(active=old.previous, shadow=old.shadow, ended=old.ended), ended)
    return _next(state._replace(place=place), (Save(place), Load(place)))


def _broken(state: State, happened: Broken) -> Step:
    """Empty the slot of a package that is damaged; the last good one takes its place."""
    manifest, old = happened.manifest, state.place
    if manifest == old.active and old.on_trial:
        return _returned(state, "it cannot be loaded")
    place = old
    if manifest == old.active:
        place = Place(active=old.previous, shadow=old.shadow, ended=old.ended)
    if manifest == place.previous:
        place = msgspec.structs.replace(place, previous=None)
    if manifest == place.shadow:
        place = msgspec.structs.replace(place, shadow=None)
    if place == old:
        return state, ()
    return _next(state._replace(place=place), (Save(place), Load(place)))


def _passed(state: State, happened: Passed) -> Step:
    """Count healthy time: it makes up a trial, and forgives crashes."""
    place = state.place
    if not place.on_trial and not place.crashes:
        return state, ()
    place = msgspec.structs.replace(place, healthy_s=place.healthy_s + happened.seconds)
    state = state._replace(place=place)
    if place.healthy_s - state.saved_s < SAVED_EVERY_S:
        return state, ()
    place = msgspec.structs.replace(place, crashes=0)
    return state._replace(place=place, saved_s=place.healthy_s), (Save(place),)


def _saved(state: State, place: Place) -> Step:
    return _next(state._replace(place=place), (Save(place),))


def _with(place: Place, ended: Ended) -> Place:
    others = tuple(each for each in place.ended if each.manifest != ended.manifest)
    return msgspec.structs.replace(place, ended=(*others, ended)[-MOST_ENDED:])


HANDLERS: dict[type, Callable[[State, Any], Step]] = {
    Wanted: _wanted,
    Started: _started,
    Fetched: _about_candidate,
    Proved: _about_candidate,
    Refused: _about_candidate,
    Judged: _judged,
    Broken: _broken,
    Passed: _passed,
    Retry: _retried,
}
