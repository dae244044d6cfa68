"""What a device does with an invitation, and with answers that are right or forged."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loopcast_edge.agent import link, openssl
from loopcast_edge.agent.cli import main
from loopcast_edge.wire import (
    Admission,
    Application,
    Invitation,
    Message,
    Refusal,
    Renewal,
    Renewed,
    Sealed,
    SealKey,
    decode,
    encode,
    seal,
    topics,
    unseal,
)

from ..centre import Centre

TOKEN, ROOT = "t" * 43, Centre().root
KEY = SealKey(bytes(range(32)))
INVITATION = str(Invitation(TOKEN, KEY.public))
SETTINGS = """
device = "meter-7"
state = "state"
root = "root"
[broker]
host = "localhost"
ca = "ca.pem"
certificate = "own.pem"
key = "own.key"
"""


def run(*arguments: str) -> None:
    openssl._openssl(*arguments)


class Authority:
    """A certificate authority by openssl, as another one than the fleet's own code."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.key, self.certificate = folder / "key", folder / "crt"
        self.key.write_bytes(openssl.new_key())
        run("req", "-new", "-x509", "-key", str(self.key), "-subj", "/CN=fleet", "-days", "3650",
            "-out", str(self.certificate))  # fmt: skip

    def signed(self, request: bytes, days: int = 825) -> bytes:
        return openssl._openssl(
            "x509", "-req", "-CA", str(self.certificate), "-CAkey", str(self.key),
            "-days", str(days), content=request,
        )  # fmt: skip


class Answering:
    """A centre in place of the broker: what it was asked, and what it says."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.asked: list[tuple[tuple[str, int], str, bytes]] = []
        self.sender = KEY
        self.say: Callable[[Application], Message] = self.admission
        self.renew: Callable[[Renewal], Message] = lambda asked: Renewed(
            certificate=self.authority.signed(asked.request)
        )

    def admission(self, asked: Application) -> Message:
        assert asked.token == TOKEN
        return Admission(
            certificate=self.authority.signed(asked.request),
            authority=self.authority.certificate.read_bytes(),
            root=ROOT,
        )

    def ask(
        self, _client: Any, where: tuple[str, int], question: tuple[str, bytes], answer: str
    ) -> bytes:
        topic, payload = question
        self.asked.append((where, topic, payload))
        if topic == topics.device("meter-7", "up/renewal"):
            assert answer == topics.device("meter-7", "certificate")
            return encode(self.renew(decode(payload, Renewal)))
        assert answer == topics.enrolment(topics.visitor(topic), "answer")
        sealed = decode(payload, Sealed)
        application = decode(unseal(sealed, KEY, sealed.sender), Application)
        return encode(seal(self.say(application), self.sender, sealed.sender))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def centre(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Answering:
    answering = Answering(authority)
    monkeypatch.setattr(link, "ask", answering.ask)
    monkeypatch.setenv("LOOPCAST_TOKEN", INVITATION)
    return answering


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "device"
    folder.mkdir()
    (folder / "agent.toml").write_text(SETTINGS)
    return folder


def edge(folder: Path, command: str, *more: str) -> int:
    return main([command, "--config", str(folder / "agent.toml"), *more])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"agent.toml"}


class TestEnrolment:
    def test_an_invitation_becomes_all_that_a_device_needs(
        self, folder: Path, centre: Answering
    ) -> None:
        assert edge(folder, "enrol") == 0
        assert names(folder) == {"own.key", "own.pem", "ca.pem", "root"}
        assert {stat.S_IMODE((folder / each).stat().st_mode) for each in names(folder)} == {0o600}
        assert (folder / "root").read_bytes() == encode(ROOT)
        openssl.check((folder / "own.pem").read_bytes(), folder / "own.key", folder / "ca.pem")
        [(where, _, payload)] = centre.asked
        assert where == ("localhost", 8884)
        assert TOKEN.encode() not in payload

    def test_an_invitation_comes_from_a_file_or_a_pipe_too(
        self, folder: Path, centre: Answering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.delenv("LOOPCAST_TOKEN")
        file = tmp_path / "token"
        file.write_text(f"{INVITATION}\n")
        assert edge(folder, "enrol", "--token-file", str(file)) == 0
        (folder / "own.pem").unlink()
        with file.open() as stream:
            monkeypatch.setattr("sys.stdin", stream)
            assert edge(folder, "enrol") == 0
        assert edge(folder, "enrol", "--token-file", str(tmp_path / "nothing")) == 78

    def test_a_key_is_kept_for_the_next_attempt(
        self, folder: Path, centre: Answering, capsys: pytest.CaptureFixture[str]
    ) -> None:
        centre.say = lambda _: Refusal(reason="the token is unknown")
        assert edge(folder, "enrol") == 1
        assert (
            capsys.readouterr().err == "loopcast-edge: the centre refuses: the token is unknown\n"
        )
        assert names(folder) == {"own.key"}
        key = (folder / "own.key").read_bytes()
        centre.say = centre.admission
        assert edge(folder, "enrol") == 0
        assert (folder / "own.key").read_bytes() == key

    def test_who_has_a_certificate_is_enrolled(
        self, folder: Path, centre: Answering, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert edge(folder, "enrol") == 0
        assert edge(folder, "enrol") == 78
        assert "own.pem is there: the device is enrolled; renew it" in capsys.readouterr().err
        assert len(centre.asked) == 1

    @pytest.mark.parametrize("text", ["", "rubbish", TOKEN, f"{TOKEN}.", f"{TOKEN}.{'A' * 42}"])
    def test_what_is_no_invitation_is_not_sent(
        self, folder: Path, centre: Answering, monkeypatch: pytest.MonkeyPatch, text: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        monkeypatch.setenv("LOOPCAST_TOKEN", text)
        assert edge(folder, "enrol") == 1
        said = capsys.readouterr().err
        assert "this is no invitation" in said
        assert "ttt" not in said
        assert centre.asked == []
        assert names(folder) == set()

    @pytest.mark.parametrize("line", ["root", "ca", "certificate"])
    def test_the_configuration_has_to_say_where_all_goes(
        self, folder: Path, centre: Answering, line: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        dropped = ("certificate", "key") if line == "certificate" else (line,)
        kept = [each for each in SETTINGS.splitlines() if each.split(" ")[0] not in dropped]
        if line == "ca":
            kept = [each for each in kept if each.split(" ")[0] not in {"certificate", "key"}]
        (folder / "agent.toml").write_text("\n".join(kept))
        assert edge(folder, "enrol") == 78
        assert "have to say where all goes" in capsys.readouterr().err


class TestDistrust:
    """Answers that a device must not believe leave no certificate behind."""

    def refuses(self, folder: Path, capsys: pytest.CaptureFixture[str], why: str) -> None:
        assert edge(folder, "enrol") in {1, 78}
        assert why in capsys.readouterr().err
        assert "own.pem" not in names(folder)

    def test_an_answer_that_somebody_else_sealed(
        self, folder: Path, centre: Answering, capsys: pytest.CaptureFixture[str]
    ) -> None:
        centre.sender = SealKey(bytes(32))
        self.refuses(folder, capsys, "sealed: by another key")
        assert names(folder) == {"own.key"}

    def test_its_own_question_as_an_answer(
        self, folder: Path, centre: Answering, capsys: pytest.CaptureFixture[str]
    ) -> None:
        centre.say = lambda asked: asked
        self.refuses(folder, capsys, "a message of kind 'application' came instead")

    def test_a_certificate_of_another_key(
        self, folder: Path, centre: Answering, tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        other = tmp_path / "other.key"
        other.write_bytes(openssl.new_key())
        request = openssl.request(other, "meter-7")
        centre.say = lambda asked: centre.admission(
            Application(device=asked.device, token=asked.token, request=request)
        )
        self.refuses(folder, capsys, "is not for the key in")

    def test_a_certificate_of_another_authority(
        self, folder: Path, centre: Answering, tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        stranger = Authority(tmp_path / "stranger")
        centre.say = lambda asked: Admission(
            certificate=stranger.signed(asked.request),
            authority=centre.authority.certificate.read_bytes(), root=ROOT,
        )  # fmt: skip
        self.refuses(folder, capsys, "openssl verify: ")

    @pytest.mark.parametrize("name", ["root", "ca.pem"])
    def test_a_fleet_other_than_the_one_it_trusts(
        self, folder: Path, centre: Answering, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / name).write_bytes(b"another fleet's")
        self.refuses(folder, capsys, f"{name} is of another fleet")
        assert (folder / name).read_bytes() == b"another fleet's"


class TestRenewal:
    @pytest.fixture
    def enrolled(self, folder: Path, centre: Answering) -> Path:
        assert edge(folder, "enrol") == 0
        return folder

    def test_only_what_ends_soon_is_renewed(
        self, enrolled: Path, centre: Answering, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first = (enrolled / "own.pem").read_bytes()
        assert abs(openssl.ends(enrolled / "own.pem") - time.time() - 825 * 86_400) < 600
        assert edge(enrolled, "renew") == 0
        assert edge(enrolled, "renew", "--within-days", "824") == 0
        assert len(centre.asked) == 1
        assert edge(enrolled, "renew", "--within-days", "826") == 0
        assert capsys.readouterr().out.endswith("meter-7 has a new certificate\n")
        second = (enrolled / "own.pem").read_bytes()
        assert second != first
        openssl.check(second, enrolled / "own.key", enrolled / "ca.pem")
        assert centre.asked[1][:2] == (("localhost", 8883), "loopcast/1/device/meter-7/up/renewal")
        assert stat.S_IMODE((enrolled / "own.pem").stat().st_mode) == 0o600

    def test_what_is_refused_or_forged_changes_nothing(
        self, enrolled: Path, centre: Answering, tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        first = (enrolled / "own.pem").read_bytes()
        stranger = Authority(tmp_path / "stranger")
        for answer, why in (
            (lambda _: Refusal(reason="meter-7 was revoked"), "meter-7 was revoked"),
            (lambda asked: Renewed(certificate=stranger.signed(asked.request)), "openssl verify"),
            (lambda _: Renewed(certificate=b"rubbish"), "openssl x509"),
            (lambda _: ROOT, "a message of kind 'signed' came instead"),
        ):
            centre.renew = answer
            assert edge(enrolled, "renew", "--within-days", "900") == 1
            assert why in capsys.readouterr().err
            assert (enrolled / "own.pem").read_bytes() == first


class TestSystem:
    def test_a_device_without_openssl_is_told_so(
        self, folder: Path, centre: Answering, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        monkeypatch.setenv("PATH", "/nowhere")
        assert edge(folder, "enrol") == 1
        assert "openssl is not on this system" in capsys.readouterr().err
        assert names(folder) == set()

    def test_a_folder_that_cannot_be_written_is_named(
        self, folder: Path, centre: Answering, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "agent.toml").write_text(SETTINGS.replace('"own.key"', '"nowhere/own.key"'))
        assert edge(folder, "enrol") == 1
        assert "a file cannot be read or written: [Errno 2]" in capsys.readouterr().err
