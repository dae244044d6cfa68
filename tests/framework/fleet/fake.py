"""Devices that keep the protocol and predict nothing: one client speaks for all of them."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from loopcast.fleet.keyring import KeyRole
from loopcast_edge.wire import (
    Desired,
    Errors,
    FileIndex,
    Keys,
    Manifest,
    Message,
    PackageState,
    Paired,
    Presence,
    Receipt,
    Reported,
    Signed,
    Trust,
    decode,
    digest_of,
    encode,
    topics,
)

Behaviour = Callable[[str, Manifest], PackageState | None]


def now() -> int:
    return time.time_ns() // 1_000_000


def running(manifest: Manifest, digest: str, **fields: Any) -> PackageState:
    """What a device says of a package that it runs well."""
    plain: dict[str, Any] = {
        "logical_model": manifest.logical_model, "segment": manifest.segment, "manifest": digest,
        "role": "champion", "stage": "running", "since": now(),
    }  # fmt: skip
    return PackageState(**plain | fields)


def paired(other: str, ratio: float, pairs: int = 100) -> Paired:
    """Errors beside the champion before, of which those of the package are a multiple."""
    return Paired(
        other=other,
        mine=Errors(n=pairs, absolute=ratio * pairs, squares=ratio * ratio * pairs),
        others=Errors(n=pairs, absolute=float(pairs), squares=float(pairs)),
    )


@dataclass
class FakeFleet:
    """Devices of a fleet at a broker without certificates.

    Attributes
    ----------
    errors
        Of a package, by its sequence, as a multiple of those of the package before.
    refusing
        Sequences of packages whose golden vectors fail.
    silent
        Devices that never answer.
    """

    port: int
    names: tuple[str, ...]
    pin: str
    errors: dict[int, float] = field(default_factory=dict)
    refusing: set[int] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    running: dict[str, int] = field(default_factory=dict)
    receipts: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._trust: Trust | None = None
        self._kept: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._desired: dict[str, Desired] = {}
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(200)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{topics.ROOT}/#", qos=1)
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        for name in self.names:
            self.send(topics.device(name, "presence"), Presence(online=True, since=now()))
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        assert not self.problems, self.problems

    def send(self, topic: str, message: Message) -> None:
        self._client.publish(topic, encode(message), qos=1, retain="/up/" not in topic)

    def trusted(self, role: KeyRole) -> set[str]:
        """Keys of a role that the devices trust now."""
        return set() if self._trust is None else set(getattr(self._trust.root, role).keys)

    def signers(self, topic: str) -> set[str]:
        """Keys that have signed what is retained there."""
        kept = self._kept.get(topic)
        return {each.key for each in decode(kept, Signed).signatures} if kept else set()

    def _on_message(self, _client: Any, _data: Any, message: MQTTMessage) -> None:
        try:
            self._take(message.topic, bytes(message.payload))
        except Exception as error:  # to be seen by the test, not by the thread
            self.problems.append(f"{message.topic}: {error!r}")

    def _take(self, topic: str, payload: bytes) -> None:
        if topic == topics.KEYS:
            keys = decode(payload, Keys)
            trust = self._trust or Trust.pinned(keys.roots[0], self.pin)
            self._trust = trust.renewed(keys, now())
        elif topic.startswith((f"{topics.ROOT}/manifest", f"{topics.ROOT}/file")):
            self._kept.pop(topic, None)
            if payload:
                self._kept[topic] = payload
        elif topic.endswith("/receipt"):
            self.receipts[topic.split("/")[3]].update(decode(payload, Receipt).stored)
        elif topic.endswith("/desired"):
            self._desired[topic.split("/")[3]] = decode(payload, Desired)
        for name in list(self._desired):
            if name not in self.silent:
                self._answer(name)

    def _answer(self, name: str) -> None:
        """Verify what is desired, once all of it is there, and report it."""
        desired = self._desired[name]
        needed = {topics.manifest(each.manifest) for each in desired.packages}
        if self._trust is None or not needed <= self._kept.keys():
            return
        del self._desired[name]
        states = []
        shadows = [each.manifest for each in desired.packages if each.role == "shadow"]
        orders = {self._trust.rollback(each, now()).manifest: each for each in desired.rollbacks}
        for each in desired.packages:
            manifest = self._verified(self._trust, each.manifest)
            if each.role == "shadow":
                continue
            back = manifest.sequence < self.running.get(name, 0)
            if back and each.manifest not in orders:
                raise AssertionError(f"{name} was told to go back without an order")
            states.append(self._state(manifest, each.manifest, shadows))
            if states[-1].stage == "running":
                self.running[name] = manifest.sequence
        report = Reported(
            agent="fake", runtime="none", at=now(), sequence=desired.sequence,
            packages=tuple(states),
        )  # fmt: skip
        self.send(topics.device(name, "reported"), report)

    def _state(self, manifest: Manifest, digest: str, shadows: list[str]) -> PackageState:
        if manifest.sequence in self.refusing:
            reason = "golden vectors differ"
            return running(manifest, digest, stage="refused", reason=reason)
        pair = paired(shadows[0], self.errors.get(manifest.sequence, 1.0)) if shadows else None
        return running(manifest, digest, paired=pair)

    def _verified(self, trust: Trust, digest: str) -> Manifest:
        """Return the manifest of a package whose file is published whole."""
        envelope = decode(self._kept[topics.manifest(digest)], Signed)
        manifest = trust.manifest(envelope, now())
        index = decode(self._kept[topics.index(manifest.file)], FileIndex)
        assert (index.file, index.size) == (manifest.file, manifest.size)
        assert all(
            topics.chunk(manifest.file, number) in self._kept for number in range(len(index.chunks))
        )
        assert digest == digest_of(envelope.payload)
        return manifest


def wait_for(condition: Callable[[], bool], turn: Callable[[], object], seconds: float) -> None:
    """Go on until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        turn()


def named(count: int) -> tuple[str, ...]:
    return tuple(f"meter-{number}" for number in range(count))
