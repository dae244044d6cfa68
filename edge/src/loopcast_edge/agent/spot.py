"""One place at work: does on the disk and in memory what its state machine says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Optional, Protocol

from loopcast_edge.agent import machine
from loopcast_edge.agent.disk import DISK_ERRORS
from loopcast_edge.agent.errors import ModelError
from loopcast_edge.agent.fetch import Come, Download, Fetcher
from loopcast_edge.agent.golden import Verdict
from loopcast_edge.agent.machine import Happening, Place, State
from loopcast_edge.agent.memory import Memory, place_name
from loopcast_edge.agent.package import Loaded, load, unfit, whole
from loopcast_edge.agent.readings import Readings
from loopcast_edge.agent.serving import Packages, Serving
from loopcast_edge.agent.slots import MODEL, Package, Slots
from loopcast_edge.agent.tally import Tally
from loopcast_edge.agent.trial import judge
from loopcast_edge.wire import (
    Manifest,
    PackageState,
    Signed,
    StaleError,
    Subject,
    WireError,
    decode,
)
from loopcast_edge.wire.messages import Role

LOG = logging.getLogger(__name__)
DOWNLOADS = "downloads"


class Proof(Protocol):
    """A package that is being proved."""

    def verdict(self) -> Optional[Verdict]:
        """Return the verdict, or ``None`` while there is none yet."""

    def stop(self) -> None:
        """Give up."""


class Around(NamedTuple):
    """What the places of a device share.

    Attributes
    ----------
    state
        The state folder.
    prove
        Begins to prove the package of a digest in a folder.
    now_ms
        Wall clock.
    rollbacks
        Signed orders to go back that came with the desired state.
    changed
        Is called when there is something to report.
    """

    state: Path
    memory: Memory
    readings: Readings
    fetcher: Fetcher
    prove: Callable[[str, Path], Proof]
    now_ms: Callable[[], int]
    rollbacks: Callable[[], tuple[Signed, ...]]
    changed: Callable[[], None]


class Spot:
    """A logical model and segment on the device.

    Parameters
    ----------
    subject
        Which it is.
    around
        What it shares with others.
    serving
        Its predictions.
    """

    def __init__(self, subject: Subject, around: Around, serving: Serving) -> None:
        self.subject, self.serving = subject, serving
        self.name = place_name(subject.logical_model, subject.segment)
        self._around = around
        self._slots = Slots(around.state / "places" / self.name)
        self._state = State(self._slots.place())
        self._proof: Optional[Proof] = None
        self._examined: tuple[str, Manifest]
        self._loaded: dict[str, Loaded] = {}
        self._since: dict[str, tuple[str, int]] = {}

    @property
    def place(self) -> Place:
        """What is in its slots."""
        return self._state.place

    @property
    def fetching(self) -> Optional[str]:
        """Digest of the package that is being fetched."""
        candidate = self._state.candidate
        return None if candidate is None else candidate.manifest

    def feed(self, happened: Happening) -> None:
        """Let the machine take a step, and do what it says, in order."""
        before = self._state
        self._state, effects = machine.step(before, happened)
        with self._or_set_back():
            for effect in effects:
                EFFECTS[type(effect)](self, effect)
        if self._state[:-1] != before[:-1] and effects:
            LOG.info("%s: %s, %s", self.name, _told(happened), _described(self._state))
            self._around.changed()

    def start(self, *, crashed: bool) -> None:
        """Load what is in the slots; a disk that cannot count a crash is no reason not to."""
        self.feed(machine.Started(crashed))
        if crashed and not self._loaded:
            self.feed(machine.Started(crashed=False))

    def came(self, come: Come) -> None:
        """Take a package that was fetched."""
        with self._or_set_back():
            content = come.file.read_bytes()
            self._slots.put(come.manifest, Package(come.envelope, content))
            if come.file.parent.name == DOWNLOADS:
                come.file.unlink()
            self._fetched(come.manifest)

    def adopt(self, digest: str, package: Package) -> None:
        """Want a package that is here already."""
        with self._or_set_back():
            if digest != self.place.active:
                self._slots.put(digest, package)
            self.feed(machine.Wanted(digest, self.place.shadow, anew=True))

    def refuse(self, manifest: str, reason: str) -> None:
        """Take note that a package cannot be used."""
        LOG.warning("%s: %s is refused: %s", self.name, manifest[:16], reason)
        self.feed(machine.Refused(manifest, reason[:400]))

    def tick(self, seconds: float) -> None:
        """Look after the proof and the trial, some healthy seconds later."""
        self.feed(machine.Passed(seconds))
        self._look_at_proof()
        self.look_at_trial()

    def stop(self) -> None:
        """Give up what is under way."""
        if self._proof is not None:
            self._proof.stop()

    def files(self) -> dict[str, Path]:
        """Return the model files in the slots by their digests."""
        return {
            each.manifest.file: self._slots.path(digest) / MODEL
            for digest, each in self._loaded.items()
        }

    def report(self) -> Iterator[PackageState]:
        """Give the state of each package that this place knows."""
        place, candidate = self.place, self._state.candidate
        known: dict[str, tuple[Role, str]] = {
            each.manifest: (each.role, each.reason) for each in place.ended
        }
        if candidate is not None:
            known[candidate.manifest] = (candidate.role, "")
        if place.shadow is not None:
            known[place.shadow] = ("shadow", "")
        if place.active is not None:
            known[place.active] = ("champion", "")
        for manifest, (role, reason) in known.items():
            yield self._package_state(manifest, role, reason)

    @contextmanager
    def _or_set_back(self) -> Iterator[None]:
        """Go on with what is on the disk where it takes no more, as if power had gone.

        What the centre wants is begun anew when it is told again.
        """
        try:
            yield
        except DISK_ERRORS as error:
            LOG.error("%s: %s; what was under way is begun anew later", self.name, error)
            if self.fetching is not None:
                self._around.fetcher.drop(self.fetching)
            self.stop()
            self._proof = None
            self._state = State(self._slots.place(), saved_s=self._state.saved_s)

    def _package_state(self, manifest: str, role: Role, reason: str) -> PackageState:
        stage = machine.stage(self._state, manifest) or "refused"
        progress = self._around.fetcher.progress(manifest)
        tally = self.serving.tallies.of.get(manifest) or Tally()
        place = self.place
        other = place.active if role == "shadow" else place.shadow or place.previous
        return PackageState(
            logical_model=self.subject.logical_model,
            segment=self.subject.segment,
            manifest=manifest,
            role=role,
            stage=stage,
            since=self._entered(manifest, stage),
            reason=reason,
            received=progress.received,
            chunks=progress.chunks,
            predictions=tally.predictions,
            fallbacks=tally.fallbacks,
            crashes=place.crashes if manifest == place.active else 0,
            slowest_us=tally.latency.slowest(),
            errors=tally.errors,
            paired=self.serving.tallies.paired.get((manifest, other or "")),
        )

    def _entered(self, manifest: str, stage: str) -> int:
        """Return since when a package is in its stage, by the device's clock."""
        before = self._since.get(manifest)
        if before is None or before[0] != stage:
            self._since[manifest] = before = (stage, self._around.now_ms())
        return before[1]

    def _look_at_proof(self) -> None:
        verdict = None if self._proof is None else self._proof.verdict()
        if verdict is None:
            return
        self._proof = None
        if verdict.reason is None:
            self.feed(machine.Proved(verdict.manifest))
            self.look_at_trial()
        else:
            self.refuse(verdict.manifest, verdict.reason)

    def look_at_trial(self) -> None:
        """Keep the package on trial, or return from it, if there is a verdict."""
        place = self.place
        active = self._loaded.get(place.active or "")
        if not place.on_trial or active is None:
            return
        tallies = self.serving.tallies
        tally = tallies.of[active.digest]
        beside = tallies.paired.get((active.digest, place.previous or ""))
        alone = place.previous is None
        verdict = judge(active.manifest.trial, place.healthy_s, tally, beside, alone=alone)
        if verdict is not None:
            if not verdict.good:
                LOG.warning("%s: back from %s: %s", self.name, active.digest[:16], verdict.reason)
            self.feed(machine.Judged(active.digest, verdict.good, verdict.reason))

    def _fetch(self, effect: machine.Fetch) -> None:
        digest = effect.manifest
        folder = self._around.state / DOWNLOADS
        download = Download(digest, folder, self._examine, self.files)
        present = self._slots.package(digest)
        if present is None:
            self._around.fetcher.begin(download)
            return
        try:
            self._examine(decode(present.envelope, Signed))
            whole(present, digest)
        except StaleError:
            self._around.fetcher.begin(download)
        except WireError as error:
            self.refuse(digest, str(error))
        except ModelError:
            self._around.fetcher.begin(download)
        else:
            self._fetched(digest)

    def _fetched(self, digest: str) -> None:
        """Go on with a package that was examined and is there."""
        _, found = self._examined
        self.feed(machine.Fetched(digest, self._around.memory.behind(self.name, found)))

    def _examine(self, envelope: Signed) -> Manifest:
        """Return the manifest of an envelope, if it may be activated here."""
        memory, now_ms = self._around.memory, self._around.now_ms()
        candidate = self._state.candidate
        if candidate is not None and candidate.role == "shadow":
            found = memory.shadow(self.name, envelope, now_ms)
        else:
            found = memory.champion(self.name, envelope, self._around.rollbacks(), now_ms)
        reason = unfit(found)
        if reason is not None:
            raise UnfitError(reason)
        self._examined = envelope.digest, found
        return found

    def _prove(self, effect: machine.Prove) -> None:
        self.stop()
        self._proof = self._around.prove(effect.manifest, self._slots.path(effect.manifest))
        self._look_at_proof()

    def _accept(self, effect: machine.Accept) -> None:
        digest, manifest = self._examined
        assert digest == effect.manifest
        self._around.memory.accept(self.name, manifest, digest)

    def _save(self, effect: machine.Save) -> None:
        self._slots.point(effect.place)

    def _load(self, effect: machine.Load) -> None:
        """Load the packages of a place; one that is damaged leaves its slot."""
        place = effect.place
        self._slots.clean([place.active, place.previous, place.shadow, self.fetching])
        wanted = [each for each in (place.active, place.previous, place.shadow) if each]
        broken = [digest for digest in wanted if not self._loads(digest)]
        self._loaded = {d: each for d, each in self._loaded.items() if d in wanted}
        if broken:
            self.feed(machine.Broken(broken[0]))
            return
        get = self._loaded.get
        self.serving.use(
            Packages(
                get(place.active or ""),
                get(place.previous or ""),
                get(place.shadow or ""),
                place.on_trial,
            )
        )

    def _loads(self, digest: str) -> bool:
        if digest in self._loaded:
            return True
        try:
            package = self._slots.package(digest)
            if package is None:
                raise ModelError("it is gone")
            self._loaded[digest] = load(package, digest, self._around.readings)
        except ModelError as error:
            LOG.error("%s: %s cannot be loaded: %s", self.name, digest[:16], error)
            return False
        return True


class UnfitError(WireError):
    """A package is signed rightly, and cannot run on this device."""


EFFECTS: dict[type, Callable[[Spot, Any], None]] = {
    machine.Fetch: Spot._fetch,
    machine.Prove: Spot._prove,
    machine.Accept: Spot._accept,
    machine.Save: Spot._save,
    machine.Load: Spot._load,
}


def _told(happened: Happening) -> str:
    return type(happened).__name__.lower()


def _described(state: State) -> str:
    place = state.place
    active = "nothing" if place.active is None else place.active[:16]
    trial = " on trial" if place.on_trial else ""
    coming = (
        ""
        if state.candidate is None
        else f", {state.candidate.stage} {state.candidate.manifest[:16]}"
    )
    return f"{active} is active{trial}{coming}"
