"""A device enrols itself at a centre, connects, and renews its certificate: by the two programs."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from loopcast.fleet import enrolment
from loopcast.fleet.authority import make_identity
from loopcast.fleet.broker import write_broker
from loopcast.fleet.centre import Centre
from loopcast.fleet.desk import open_desk
from loopcast.fleet.enrolment import invite
from loopcast.fleet.founding import (
    authority_of,
    broker_of,
    centre_certificate,
    enrolment_key,
    found,
    keys_folder,
)
from loopcast.fleet.keyring import read_keys
from loopcast.fleet.link import FLEET, Link
from loopcast.store.home import Home, open_home
from loopcast_edge.agent import link
from loopcast_edge.agent.cli import main
from loopcast_edge.agent.enrol import renew
from loopcast_edge.agent.settings import read
from loopcast_edge.wire import Invitation, encode, topics

from ...edge.brokers import until
from ...framework.fleet.brokers import Broker, enrolling

LOOPCAST = str(Path(sys.executable).with_name("loopcast"))
SETTINGS = """
device = "{name}"
state = "state"
root = "root"
[broker]
host = "localhost"
port = {port}
enrolment_port = {aside}
ca = "ca.pem"
certificate = "own.pem"
key = "own.key"
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    home = open_home(tmp_path / "home")
    found(home)
    yield home
    home.catalog.close()


@pytest.fixture
def brokers(place: Home, tmp_path: Path) -> Iterator[tuple[Broker, Broker]]:
    with enrolling(tmp_path / "broker", authority_of(place), centre_certificate(place)) as both:
        yield both


def settings_in(folder: Path, brokers: tuple[Broker, Broker], name: str = "meter-7") -> Path:
    folder.mkdir()
    file = folder / "agent.toml"
    broker, aside = brokers
    file.write_text(SETTINGS.format(name=name, port=broker.port, aside=aside.port))
    return file


def loopcast_edge(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loopcast_edge", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)


@contextmanager
def centre(place: Home, brokers: tuple[Broker, Broker]) -> Iterator[Path]:
    """Run a centre that answers who is invited; give its log."""
    broker, aside = brokers
    command = [
        LOOPCAST, "fleet", "serve", "--broker", f"mqtts://localhost:{broker.centre}",
        "--enrolment", f"mqtts://localhost:{aside.centre}",
    ]  # fmt: skip
    log = place.folder / f"centre-{os.urandom(4).hex()}.log"
    environment = os.environ | {"LOOPCAST_HOME": str(place.folder), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            until(lambda: "serving the fleet" in log.read_text(), "the centre serves")
            yield log
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


def invitation(place: Home, name: str = "meter-7") -> str:
    return str(Invitation(invite(place, name, {}, by="ann"), enrolment_key(place).public))


@pytest.fixture
def waiting(
    place: Home, brokers: tuple[Broker, Broker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An invited device, which asks again soon."""
    monkeypatch.setenv("LOOPCAST_TOKEN", invitation(place))
    monkeypatch.setattr(link, "ASKED_AGAIN_S", 0.2)
    return settings_in(tmp_path / "device", brokers)


def test_without_a_centre_the_device_says_so_and_may_ask_later(
    waiting: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(link, "ASKED_FOR_S", 0.5)
    assert main(["enrol", "--config", str(waiting)]) == 1
    assert "no centre answered: does one serve there?" in capsys.readouterr().err
    assert {path.name for path in waiting.parent.iterdir()} == {"agent.toml", "own.key"}


# paho leaves the socket of a handshake that fails to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_device_that_finds_no_place_at_the_broker_comes_again(
    place: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loopcast.fleet.broker.STRANGERS", 1)
    monkeypatch.setattr(link, "ASKED_AGAIN_S", 0.2)
    monkeypatch.setenv("LOOPCAST_TOKEN", invitation(place))
    with enrolling(tmp_path / "broker", authority_of(place), centre_certificate(place)) as brokers:
        device = settings_in(tmp_path / "device", brokers)
        other, asked = link.stranger("0" * 32), threading.Event()
        other.connect("localhost", brokers[1].port)
        other.loop_start()
        until(other.is_connected, "another stranger has the only place")
        monkeypatch.setattr(link, "time", Waiting(asked))
        found: list[int] = []
        asking = threading.Thread(
            target=lambda: found.append(main(["enrol", "--config", str(device)]))
        )
        with centre(place, brokers):
            asking.start()
            assert asked.wait(20)
            assert not found
            other.disconnect()
            other.loop_stop()
            asking.join(30)
    assert found == [0]


class Waiting:
    """A clock that says when somebody waits by it."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self, asked: threading.Event) -> None:
        self._asked = asked

    def sleep(self, seconds: float) -> None:
        self._asked.set()
        time.sleep(seconds)


class Heard:
    """Counts how often a link was connected."""

    def __init__(self) -> None:
        self.connections = 0

    def will(self) -> tuple[str, bytes]:
        return topics.device("meter-7", "presence"), b"gone"

    def connected(self) -> None:
        self.connections += 1

    def disconnected(self) -> None:
        pass

    def received(self, topic: str, payload: bytes) -> None:
        pass


@contextmanager
def connected(settings: Path) -> Iterator[Heard]:
    """Connect as the agent of a device does, and stay connected."""
    told = read(settings).broker
    assert told is not None
    heard = Heard()
    agent = link.BrokerLink(told, "meter-7", heard, Random(1))
    agent.start()
    try:
        until(lambda: heard.connections == 1, "its certificate lets it in")
        yield heard
    finally:
        agent.stop()


def test_a_device_asks_until_a_centre_answers_and_renews(
    place: Home, brokers: tuple[Broker, Broker], waiting: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    broker, aside = brokers
    asking = threading.Thread(target=main, args=(["enrol", "--config", str(waiting)],))
    asking.start()
    until((waiting.parent / "own.key").exists, "the device has a key")
    with (
        open_desk(place, f"mqtts://localhost:{aside.centre}") as desk,
        Link(broker_of(place, f"mqtts://localhost:{broker.centre}"), listen=FLEET) as own,
    ):
        centre = Centre(place=place, keys=keys_folder(place), link=own, desk=desk)
        done = threading.Event()
        serving = threading.Thread(target=centre.run, args=(done.is_set,))
        serving.start()
        try:
            asking.join(20)
            assert capsys.readouterr().out == "meter-7 is enrolled\n"
            first = (waiting.parent / "own.pem").read_bytes()
            assert renew(read(waiting), days=60) is False
            with connected(waiting) as heard:
                assert renew(read(waiting), days=900) is False  # it has one of today
                until(lambda: heard.connections > 1, "the agent is back")
                monkeypatch.setattr(enrolment, "RENEWAL_PAUSE", timedelta(0))
                assert renew(read(waiting), days=900) is True
                until(lambda: heard.connections > 2, "the agent is back again")
        finally:
            done.set()
            serving.join(20)
    second = (waiting.parent / "own.pem").read_bytes()
    assert second != first
    own_ones = place.catalog.certificates(["meter-7"])["meter-7"]
    assert [place.artifacts.get(each.certificate) for each in own_ones] == [first, second]


def test_the_agent_shows_a_renewed_certificate_when_it_connects_again(
    place: Home, brokers: tuple[Broker, Broker], tmp_path: Path
) -> None:
    authority, broker = authority_of(place), brokers[0]
    settings = settings_in(tmp_path / "device", brokers)
    folder = settings.parent

    def show() -> bytes:
        own = make_identity(authority, "meter-7")
        (folder / "own.pem").write_bytes(own.certificate)
        (folder / "own.key").write_bytes(own.key)
        return own.certificate

    (folder / "ca.pem").write_bytes(authority.pem)
    first = show()
    with connected(settings) as heard:
        show()
        broker.kill()
        assert broker.listener is not None
        write_broker(
            broker.configuration.parent, authority, centre_certificate(place), broker.listener,
            [first],
        )  # fmt: skip
        broker.start()
        until(lambda: heard.connections == 2, "the second one does, when the first is revoked")


@pytest.mark.slow
def test_from_an_invitation_to_a_renewed_certificate(
    place: Home, brokers: tuple[Broker, Broker], tmp_path: Path
) -> None:
    settings = settings_in(tmp_path / "device", brokers)
    given = invitation(place)
    (tmp_path / "token").write_text(f"{given}\n")
    with ExitStack() as stack:
        logs = [stack.enter_context(centre(place, brokers)) for _ in range(2)]
        done = loopcast_edge("enrol", "--config", settings, "--token-file", tmp_path / "token")
        assert (done.returncode, done.stdout) == (0, "meter-7 is enrolled\n"), done.stderr
        folder = settings.parent
        for name in ("own.key", "own.pem", "ca.pem", "root"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert (folder / "root").read_bytes() == encode(read_keys(keys_folder(place)).roots[0])
        assert [*place.catalog.devices()] == ["meter-7"]
        assert [e.act for e in place.catalog.audit_log()][:2] == ["enrol", "invite"]
        assert connects(settings)
        first = (folder / "own.pem").read_bytes()
        done = loopcast_edge("renew", "--config", settings)
        assert (done.returncode, done.stdout) == (0, "meter-7 needs no new certificate yet\n")
        assert (folder / "own.pem").read_bytes() == first
        text = "".join(log.read_text() for log in logs)
        assert given.partition(".")[0] not in text
        assert "device meter-7 is enrolled" in text


def connects(settings: Path) -> bool:
    command = [sys.executable, "-m", "loopcast_edge", "run", "--config", str(settings)]
    log = settings.with_name("log")
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors)
        until(lambda: "connected to" in log.read_text(), "the device connects")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    return process.returncode == 0
