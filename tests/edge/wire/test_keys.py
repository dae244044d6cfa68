from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from loopcast_edge.wire import SecretKey, Signed, WireError, co_sign, sign
from loopcast_edge.wire.codec import digest_of, encode

from .examples import MANIFEST, ROOT

SEED = bytes(range(32))


def test_a_signature_is_that_of_the_standard() -> None:
    """The second test of RFC 8032, section 7.1, by the key that a secret key wraps."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert SecretKey(seed).public.hex() == public


def test_the_kind_is_part_of_what_is_signed() -> None:
    from nacl.signing import VerifyKey

    key, payload = SecretKey(SEED), encode(MANIFEST)
    signature = key.sign(payload).signature
    covered = b"loopcast/1/manifest\0" + payload
    assert VerifyKey(key.public).verify(covered, signature) == covered


def test_a_key_is_read_as_it_was_written(tmp_path: Path) -> None:
    path, key = tmp_path / "targets.key", SecretKey.generate()
    key.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SecretKey.read(path).public == key.public


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path, key = tmp_path / "targets.key", SecretKey.generate()
    key.write(path)
    with pytest.raises(WireError, match="no key is written: File exists"):
        SecretKey.generate().write(path)
    assert SecretKey.read(path).id == key.id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "targets.key"
    SecretKey.generate().write(path)
    path.chmod(mode)
    with pytest.raises(WireError, match="others may read it; expected mode 0600"):
        SecretKey.read(path)


@pytest.mark.parametrize("content", [b"", b"00", b"zz" * 32, b"\xff" * 64, b"0" * 66])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "targets.key"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(WireError, match="secret key"):
        SecretKey.read(path)
    with pytest.raises(WireError, match="No such file"):
        SecretKey.read(tmp_path / "other.key")


def test_a_key_shows_itself_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    key = SecretKey(SEED)
    logging.getLogger("test").warning("%s %r", key, [key])
    shown = f"{key} {key!r} {vars(key)} {caplog.text}"
    assert SEED.hex()[:16] not in shown
    assert repr(SEED)[2:20] not in shown
    assert key.id[:16] in shown


def test_signatures_are_added_and_replaced() -> None:
    one, two = SecretKey(SEED), SecretKey(bytes(32))
    both = co_sign(sign(ROOT, [one]), [two])
    assert [each.key for each in both.signatures] == [one.id, two.id]
    assert co_sign(both, [one]).signatures == (*both.signatures[1:], both.signatures[0])
    assert both.digest == digest_of(encode(ROOT))


def test_only_a_message_is_signed() -> None:
    with pytest.raises(WireError, match="no message"):
        SecretKey(SEED).sign(b"anything")
    with pytest.raises(WireError, match="no message"):
        co_sign(Signed(payload=b"", signatures=()), [SecretKey(SEED)])
