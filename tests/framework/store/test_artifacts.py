"""Content-addressed files: round trip, verification, repair."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import IntegrityError, NotFoundError
from loopcast.store.artifacts import Artifacts


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(str(tmp_path))


def stored(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("*") if path.is_file()]


@given(st.lists(st.binary(max_size=200)))
def test_contents_come_back(contents: list[bytes]) -> None:
    artifacts = Artifacts("memory://artifacts")
    digests = artifacts.put_many(contents)
    assert digests == tuple(sha256(data).hexdigest() for data in contents)
    assert list(artifacts.get_many(digests)) == contents
    assert all(map(artifacts.has, digests))


def test_equal_contents_are_stored_once(artifacts: Artifacts, tmp_path: Path) -> None:
    digest = artifacts.put(b"same")
    [file] = stored(tmp_path)
    written = file.stat().st_mtime_ns
    assert artifacts.put_many([b"same", b"same"]) == (digest, digest)
    assert stored(tmp_path) == [file]
    assert file.stat().st_mtime_ns == written
    assert file == tmp_path / digest[:2] / digest


def test_changed_bytes_are_refused(artifacts: Artifacts, tmp_path: Path) -> None:
    digest = artifacts.put(b"right")
    [file] = stored(tmp_path)
    file.write_bytes(b"wrong")
    message = f"artifact {digest} in .* was changed: its 5 bytes.*restore the file from a backup"
    with pytest.raises(IntegrityError, match=message):
        artifacts.get(digest)


@pytest.mark.parametrize("damage", [b"wrong", b"", b"right and more"])
def test_storing_again_repairs(artifacts: Artifacts, tmp_path: Path, damage: bytes) -> None:
    digest = artifacts.put(b"right")
    [file] = stored(tmp_path)
    file.write_bytes(damage)
    assert artifacts.put(b"right") == digest
    assert artifacts.get(digest) == b"right"


def test_unknown(artifacts: Artifacts) -> None:
    digest = "0" * 64
    assert not artifacts.has(digest)
    with pytest.raises(NotFoundError, match=f"artifact {digest} is not in"):
        artifacts.get(digest)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_only_digests_are_names(artifacts: Artifacts, digest: str) -> None:
    with pytest.raises(NotFoundError, match="is not a digest: 64 hexadecimal digits"):
        artifacts.get(digest)
