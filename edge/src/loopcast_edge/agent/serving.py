"""The predictions of one place: asks its packages, writes events, and joins outcomes with them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from loopcast_edge.agent import drift, events, predict
from loopcast_edge.agent.carried import Carried, Kept, begins_anew, state_at
from loopcast_edge.agent.features import NOTHING
from loopcast_edge.agent.memory import place_name
from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.agent.package import Loaded
from loopcast_edge.agent.predict import Answer
from loopcast_edge.agent.readings import LARGEST, believed_until
from loopcast_edge.agent.tally import Tallies
from loopcast_edge.wire import EdgeEvent, Outcome, Source, Subject, WireError
from loopcast_edge.wire.messages import Role

LOG = logging.getLogger(__name__)
Line = Mapping[str, Any]


class Request(NamedTuple):
    """A question about one thing; what it does not say of it is missing.

    Attributes
    ----------
    key
        Under which outcomes will speak of it.
    values
        By the names of measurements.
    """

    key: str
    values: Mapping[str, Any]


class Packages(NamedTuple):
    """What is loaded of a place's slots."""

    active: Optional[Loaded] = None
    previous: Optional[Loaded] = None
    shadow: Optional[Loaded] = None
    on_trial: bool = False


class Serving:
    """Predictions of one logical model and segment.

    Parameters
    ----------
    subject
        Which it is.
    wall_ms
        Wall clock, also where a file is replayed.
    """

    def __init__(
        self, subject: Subject, outbox: Outbox, days: drift.Days, wall_ms: Callable[[], int]
    ) -> None:
        self.subject, self._outbox, self._days = subject, outbox, days
        self._wall_ms = wall_ms
        self._packages = Packages()
        self._carried: dict[str, Carried] = {}
        name = place_name(subject.logical_model, subject.segment)
        self._note, self._said = f"answered/{name}", outbox.said(name)
        self._answered_s, self._waiting = outbox.notes.read(self._note, int).get("", 0), -1
        self.tallies = Tallies(outbox.notes, name)

    def use(self, packages: Packages) -> None:
        """Predict by these packages from now on; what is new begins to be counted anew."""
        loaded = [each for each in packages[:3] if isinstance(each, Loaded)]
        active = None if packages.active is None else packages.active.digest
        self.tallies.use(active, [each.digest for each in loaded])
        if _step_s(packages.active) != _step_s(self._packages.active):
            self._waiting = -1
        carried = ((each, self._carried.get(each.digest)) for each in loaded)
        self._carried = {each.digest: has for each, has in carried if has and has.fits(each)}
        self._packages = packages

    @property
    def states(self) -> dict[str, Kept]:
        """What models with a state have come to, by the digests of their packages."""
        return {digest: carried.kept() for digest, carried in self._carried.items()}

    @states.setter
    def states(self, kept: Mapping[str, Kept]) -> None:
        self._carried = {digest: Carried.restored(each) for digest, each in kept.items()}

    def measured(self, time_s: float, values: Mapping[str, Any], now_ms: int) -> list[Line]:
        """Answer for the interval of a measurement, once, and take the outcome that it may hold.

        What a clock that ran ahead has answered keeps nothing from being answered.
        """
        active = self._packages.active
        if active is None or not active.by_interval:
            return []
        interval = active.features.interval(time_s)
        step_s = active.manifest.recipe.step_seconds
        start_s = interval * step_s
        lines = self.overdue(start_s, now_ms)
        ahead = self._answered_s > believed_until(start_s, self._wall_ms() / 1000, step_s)
        if ahead or start_s >= self._answered_s:
            lines += self._answer_or_wait(active, interval, now_ms)
        if active.manifest.recipe.target in values:
            self._came_true(active, interval, now_ms)
        return lines

    def overdue(self, time_s: float, now_ms: int) -> list[Line]:
        """Answer as well as can be for an interval that is over and still lacks measurements."""
        active, waiting = self._packages.active, self._waiting
        if active is None or waiting < 0 or active.features.interval(time_s) <= waiting:
            return []
        return self._answer(active, waiting, now_ms)

    def reads(self, values: Collection[str]) -> bool:
        """Tell whether the active package reads any of these measurements."""
        active = self._packages.active
        return active is not None and active.features.reads(values)

    def requested(self, request: Request, time_s: float, now_ms: int) -> list[Line]:
        """Answer a request, which has a key and values of its own."""
        active = self._packages.active
        if active is None:
            return []
        return self._answer(active, active.features.interval(time_s), now_ms, request)

    def outcome(self, key: str, value: Any, now_ms: int) -> Mapping[str, float]:
        """Take what came true of a key, once; return the error of each package that spoke of it.

        Raises
        ------
        WireError
            If it is nothing that can have come true.
        """
        said = self._said.of(key)
        if said is None:
            return {}
        text = "\n".join(value) if isinstance(value, tuple) else value
        told = text if isinstance(text, str) else float(text)
        if not isinstance(told, str) and not abs(told) <= LARGEST:
            raise WireError(f"outcome of {key!r:.40}: {told:g} is none")
        self._outbox.add_outcomes(
            self.subject, [Outcome(subject=0, key=key, observed=now_ms, value=told)]
        )
        self._said.known(key)
        if isinstance(told, str):
            return {}
        errors = {
            digest: value - told
            for digest, value in said.items()
            if digest in self.tallies.of and value is not None
        }
        self.tallies.erred(errors)
        for digest, error in errors.items():
            self._days.erred(digest, error)
        return errors

    def _answer_or_wait(self, active: Loaded, interval: int, now_ms: int) -> list[Line]:
        """Answer now if all is there, else when the interval is over."""
        if active.features.row(interval).missing:
            self._waiting = interval
            return []
        return self._answer(active, interval, now_ms)

    def _answer(
        self, active: Loaded, interval: int, now_ms: int, request: Optional[Request] = None
    ) -> list[Line]:
        """Ask all packages that have a say, and write down what they said."""
        keyed, values = (None, NOTHING) if request is None else request
        if keyed is None:
            self._close(active, interval)
        packages = self._packages
        said = self._ask(active, interval, values)
        own = said.action == "served"
        last_good = None
        if packages.previous is not None and (packages.on_trial or not own):
            last_good = self._ask(packages.previous, interval, values)
            self._remember(last_good, interval, keyed)
        self._remember(said, interval, keyed)
        self.tallies.answered(active.digest, own, said.latency_us)
        answer = said if own else predict.fall_back(said, last_good, interval)
        lines = self._write(answer, interval, now_ms, "champion", keyed)
        if packages.shadow is not None:
            again = last_good is not None and last_good.loaded is packages.shadow
            silent = (
                last_good if again and last_good else self._ask(packages.shadow, interval, values)
            )
            self._remember(silent, interval, keyed)
            self.tallies.answered(
                silent.loaded.digest, silent.action == "served", silent.latency_us
            )
            self._write(silent, interval, now_ms, "shadow", keyed)
        return lines

    def _close(self, active: Loaded, interval: int) -> None:
        """Note that everything up to the end of an interval is answered."""
        self._answered_s = (interval + 1) * active.manifest.recipe.step_seconds
        self._waiting = -1
        self._outbox.notes.write(self._note, self._answered_s)

    def _ask(self, loaded: Loaded, interval: int, values: Mapping[str, Any]) -> Answer:
        """Ask a package, and carry its state on; to ask again of an interval changes nothing."""
        carried = self._carried.get(loaded.digest)
        before = state_at(loaded, interval, carried)
        answer = predict.ask(loaded, interval, before, values)
        new = carried is None or interval > carried.interval or begins_anew(interval, carried)
        if new and before is not None and answer.state is not None:
            self._carried[loaded.digest] = Carried(interval, before, answer.state)
        return answer

    def _remember(self, answer: Answer, interval: int, keyed: Optional[str]) -> None:
        """Remember what a package said itself, until the outcome comes."""
        if answer.outputs is None:
            return
        manifest = answer.loaded.manifest
        for group in events.groups(manifest):
            step_s = manifest.recipe.step_seconds
            name = keyed or events.key(group.series, step_s, interval + group.lead)
            place = group.outputs[0].place_in is not None
            number = None if place else float(answer.outputs[group.first])
            self._said.put(name, answer.loaded.digest, number)

    def _write(
        self, answer: Answer, interval: int, now_ms: int, role: Role, keyed: Optional[str]
    ) -> list[Line]:
        """Put the events of an answer into the outbox; return them as lines."""
        made = list(events.events(answer, interval, now_ms, role, keyed))
        by_source: dict[Source, list[EdgeEvent]] = {}
        for source, event in made:
            by_source.setdefault(source, []).append(event)
        for source, some in by_source.items():
            self._outbox.add_events(source, some)
            _tell(source, some, answer.reason)
        self._days.count(_row(answer, role, made), now_ms)
        return [events.line(answer, event, source.outputs) for source, event in made]

    def _came_true(self, active: Loaded, interval: int, now_ms: int) -> None:
        """Take the outcome that was measured in an interval."""
        value = active.features.outcome(interval)
        if value is None:
            return
        recipe = active.manifest.recipe
        for series in dict.fromkeys(output.series for output in active.manifest.outputs):
            key = events.key(series, recipe.step_seconds, interval)
            errors = self.outcome(key, value, now_ms)
            if active.digest in errors:
                error = errors[active.digest]
                self._days.lessons.add(active.digest, active.manifest, interval, error)


def _tell(source: Source, events: Sequence[EdgeEvent], reason: str) -> None:
    """Say in the log which answers were given, and not of what they were made."""
    name = place_name(source.logical_model, source.segment)
    for event in events:
        LOG.debug(
            "%s: %r is %s by the %s %s in %d us%s",
            name, event.key, event.action, source.role, source.version, event.latency_us,
            f": {reason}" if reason else "",
        )  # fmt: skip


def _step_s(loaded: Optional[Loaded]) -> Optional[int]:
    return None if loaded is None else loaded.manifest.recipe.step_seconds


def _row(answer: Answer, role: Role, made: Sequence[tuple[Source, EdgeEvent]]) -> drift.Row:
    """Lay an answer out as the reference names its columns."""
    source, event = made[0]
    outputs = {f"output.{name}": value for name, value in zip(source.outputs, event.outputs)}
    return drift.Row(
        answer.loaded.digest,
        answer.loaded.manifest,
        role,
        {**answer.row.inputs, **outputs},
        answer.latency_us,
    )
