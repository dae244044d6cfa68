"""A device enrols itself at a centre, connects, and renews its certificate: by the two programs."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from loopcast.fleet.enrolment import invite
from loopcast.fleet.founding import authority_of, enrolment_key, found, keys_folder
from loopcast.fleet.keyring import read_keys
from loopcast.store.home import Home, open_home
from loopcast_edge.wire import Invitation, encode

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
    with enrolling(tmp_path / "broker", authority_of(place)) as both:
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
        LOOPCAST, "fleet", "serve", "--broker", f"mqtts://localhost:{broker.port}",
        "--enrolment", f"mqtts://localhost:{aside.port + 1}",
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
