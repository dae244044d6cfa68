"""`loopcast fleet`: enrolment, rollouts and centres through the program itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from loopcast.api import Device, LoopcastError
from loopcast.cli import loopcast
from loopcast.fleet.founding import found
from loopcast.fleet.keyring import Keyring
from loopcast.fleet.packages import make_package
from loopcast.store.home import Home, open_home

from ..fleet.brokers import plain
from ..fleet.conftest import contents
from ..fleet.fake import FakeFleet, named
from ..store.builders import NOON, logical_model, registration, version

LOOPCAST = str(Path(sys.executable).with_name("loopcast"))
BY = ("--by", "ann")
WHY = (*BY, "--reason", "because")


def told(*arguments: str, code: int = 0, **options: Any) -> Result:
    result = CliRunner().invoke(loopcast, ["fleet", *arguments], catch_exceptions=True, **options)
    if isinstance(result.exception, LoopcastError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def place(loopcast_home: Path) -> Iterator[Home]:
    home = open_home(loopcast_home)
    home.catalog.put_logical_model(logical_model())
    home.catalog.register([registration(version(number)) for number in (1, 2)])
    yield home
    home.catalog.close()


@pytest.fixture
def ring(place: Home) -> Keyring:
    """A founded fleet of six devices with two packages."""
    ring = found(place)
    place.catalog.enrol([Device(name=name, enrolled=NOON) for name in named(6)], by="ann")
    for number in (1, 2):
        make_package(place, ring, version(number), contents(number), by="ann")
    return ring


def request(folder: Path) -> tuple[Path, bytes]:
    """A key's request for a certificate, under a name that nobody should believe."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "centre.loopcast")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    file = folder / "device.csr"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return file, public


class TestEnrolment:
    def test_from_token_to_certificate_to_revocation(self, place: Home, tmp_path: Path) -> None:
        told("keys", "make")
        token = told("enrol", "invite", "meter-9", "--label", "region=north", *BY).output.strip()
        file, public = request(tmp_path)
        certificate = tmp_path / "device.crt"
        told("enrol", "redeem", str(file), "-o", str(certificate), env={"LOOPCAST_TOKEN": token})
        issued = x509.load_pem_x509_certificate(certificate.read_bytes())
        [common] = issued.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        assert common.value == "meter-9"
        assert (
            issued.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            == public
        )
        [device] = json.loads(told("devices", "list", "--label", "region=north", "--json").output)
        assert device["name"] == "meter-9"
        told("devices", "revoke", "meter-9", *WHY)
        told("broker", str(tmp_path / "broker"))
        revoked = x509.load_pem_x509_crl((tmp_path / "broker" / "revoked.crl").read_bytes())
        assert [each.serial_number for each in revoked] == [issued.serial_number]

    def test_a_fleet_may_be_set_up_before_the_first_run(
        self, loopcast_home: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(LoopcastError, match=r"no catalog at .* 'loopcast fleet keys make'"):
            told("enrol", "invite", "meter-9", *BY)
        told("keys", "make")
        token = told("enrol", "invite", "meter-9", *BY).output.strip()
        said = told("broker", str(tmp_path / "broker"), "--centre-port", "9000").output
        assert "loopcast fleet serve --broker mqtts://localhost:9000\n" in said
        output = tmp_path / "device.crt"
        file, _ = request(tmp_path)
        told("enrol", "redeem", str(file), "-o", str(output), env={"LOOPCAST_TOKEN": token})
        [device] = json.loads(told("devices", "list", "--json").output)
        assert device["name"] == "meter-9"

    def test_a_token_is_nowhere_kept(self, place: Home, loopcast_home: Path) -> None:
        token = told("enrol", "invite", "meter-9", *BY).output.strip()
        files = [file for file in loopcast_home.rglob("*") if file.is_file()]
        assert files
        secret, _, _ = token.partition(".")
        assert len(secret) == 43
        assert not [file for file in files if secret.encode() in file.read_bytes()]

    def test_a_damaged_request_leaves_the_token_good(self, place: Home, tmp_path: Path) -> None:
        told("keys", "make")
        token = {"LOOPCAST_TOKEN": told("enrol", "invite", "meter-9", *BY).output}
        damaged, output = tmp_path / "damaged.csr", tmp_path / "device.crt"
        damaged.write_text("nothing")
        with pytest.raises(LoopcastError, match="no PKCS #10"):
            told("enrol", "redeem", str(damaged), "-o", str(output), env=token)
        assert not output.exists()
        told("enrol", "redeem", str(request(tmp_path)[0]), "-o", str(output), env=token)


class TestRollouts:
    def test_begun_paused_resumed_aborted(self, ring: Keyring) -> None:
        told("rollout", "spring", "-m", "demand", "--sequence", "1", "--cohorts", "0.5,1",
             "--health-only", *WHY)  # fmt: skip
        for act in ("pause", "resume", "abort"):
            told(act, "spring", *WHY)
        shown = json.loads(told("status", "spring", "--json").output)
        assert [step["act"] for step in shown["steps"]] == ["begin", "pause", "resume", "abort"]
        assert [stage["devices"] for stage in shown["stages"]] == [3, 3]
        assert "aborted" in told("status").output
        told("watch", "spring", code=2)

    def test_what_cannot_be_is_one_sentence(self, ring: Keyring) -> None:
        with pytest.raises(LoopcastError, match="no package of demand to compare errors with"):
            told("rollout", "spring", "-m", "demand", "--cohorts", "0.5,1", *WHY)
        with pytest.raises(LoopcastError, match="cohorts 'half': write shares"):
            told("rollout", "spring", "-m", "demand", "--cohorts", "half", *WHY)
        with pytest.raises(LoopcastError, match="no rollout 'june'"):
            told("pause", "june", *WHY)
        with pytest.raises(LoopcastError, match="'north' is no label"):
            told("devices", "label", "meter-1", "--label", "north", *BY)
        with pytest.raises(LoopcastError, match="rotate them instead"):
            told("keys", "make")

    def test_keys_are_shown_and_rotated(self, ring: Keyring) -> None:
        told("keys", "rotate", "targets")
        shown = json.loads(told("keys", "show", "--json").output)
        assert (shown["pin"], shown["root"]) == (ring.pin, 2)
        assert [row[2] for row in shown["keys"]] == ["here"] * 3


@pytest.fixture
def serve(place: Home) -> Iterator[Callable[[int], subprocess.Popen[str]]]:
    """Starts centres."""
    started: list[subprocess.Popen[str]] = []

    def start(port: int) -> subprocess.Popen[str]:
        environment = {**os.environ, "LOOPCAST_HOME": str(place.folder), "PYTHONUNBUFFERED": "1"}
        command = [LOOPCAST, "fleet", "serve", "--broker", f"mqtt://127.0.0.1:{port}"]
        process = subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        started.append(process)
        assert process.stdout is not None
        assert "serving the fleet" in process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_two_centres_one_killed_in_mid_rollout(
    place: Home, ring: Keyring, tmp_path: Path, serve: Callable[[int], subprocess.Popen[str]]
) -> None:
    """Each step is taken once, and the rollout goes on without the one that was killed."""
    with (
        plain(tmp_path / "broker") as broker,
        FakeFleet(broker.port, named(6), ring.pin, errors={2: 0.9}) as fleet,
    ):
        centres = [serve(broker.port), serve(broker.port)]
        told("rollout", "first", "-m", "demand", "--sequence", "1", "--cohorts", "0.2,0.5,1",
             "--health-only", *WHY)  # fmt: skip
        while len(place.catalog.rollout("first").steps) < 2:
            time.sleep(0.02)
        centres[0].send_signal(signal.SIGKILL)
        told("watch", "first", "--timeout", "30")
        told("rollout", "second", "-m", "demand", "--cohorts", "0.5,1", *WHY)
        told("watch", "second", "--timeout", "30")
        assert fleet.running == dict.fromkeys(named(6), 2)
        centres[1].terminate()
        said, _ = centres[1].communicate(timeout=20)
        assert centres[1].returncode == 0, said
    acts = [[s.act for s in place.catalog.rollout(n).steps] for n in ("first", "second")]
    assert acts == [["begin", "advance", "advance", "complete"], ["begin", "advance", "complete"]]
    place.catalog.verify_audit()
