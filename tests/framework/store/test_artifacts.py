"""Content-addressed files: round trip, verification, repair."""

from __future__ import annotations

import os
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
    assert [artifacts.get(digest) for digest in digests] == contents
    assert all(map(artifacts.has, digests))


def test_equal_contents_are_stored_once(artifacts: Artifacts, tmp_path: Path) -> None:
    digest = artifacts.put(b"same")
    [file] = stored(tmp_path)
    written = file.stat().st_mtime_ns
    assert artifacts.put_many([b"same", b"same"]) == (digest, digest)
    assert stored(tmp_path) == [file]
    assert file.stat().st_mtime_ns == written
    assert file == tmp_path / digest[:2] / digest


def test_what_killed_writes_left_is_swept_once_it_is_old(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    digest = artifacts.put(b"whole")
    left = stored(tmp_path)[0].parent / f".{digest}.1.tmp"
    left.write_bytes(b"wh")
    assert artifacts.sweep() == 0
    os.utime(left, (0, 0))
    assert artifacts.sweep() == 1
    assert artifacts.get(digest) == b"whole"
    assert not left.exists()


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


@given(
    st.lists(
        st.tuples(st.binary(max_size=60), st.lists(st.binary(max_size=200), max_size=3)),
        max_size=4,
    )
)
def test_contents_come_back_with_their_company(contents: list[tuple[bytes, list[bytes]]]) -> None:
    artifacts = Artifacts("memory://company")
    digests = artifacts.put_with_company(contents)
    assert digests == tuple(sha256(data).hexdigest() for data, _ in contents)
    kept = dict(contents)  # of equal contents, which name the same company, the last is kept
    for digest, (data, _) in zip(digests, contents, strict=True):
        content, company = artifacts.get_with_company(digest)
        assert company is not None
        whole = b"".join(kept[data])
        assert (content, company(slice(None))) == (data, whole)
        assert company(slice(1, 4)) == whole[1:4]
        assert artifacts.get(digest) == data


def test_a_content_with_company_is_one_file(artifacts: Artifacts, tmp_path: Path) -> None:
    [digest] = artifacts.put_with_company([(b"names", [b"what it ", b"names"])])
    [file] = stored(tmp_path)
    written = file.stat().st_mtime_ns
    assert artifacts.put_with_company([(b"names", [b"what it ", b"names"])]) == (digest,)
    assert stored(tmp_path)[0].stat().st_mtime_ns == written
    file.write_bytes(file.read_bytes().replace(b"names", b"Names", 1))
    with pytest.raises(IntegrityError, match=f"artifact {digest} .* was changed"):
        artifacts.get(digest)
    artifacts.put_with_company([(b"names", [b"what it ", b"names"])])
    assert artifacts.get(digest) == b"names"


@pytest.mark.parametrize("size", [9, 2**14 - 80, 2**14 - 25, 2**14 - 24, 2**14, 2**16])
def test_parts_of_the_company_of_a_content_of_any_size(artifacts: Artifacts, size: int) -> None:
    content, whole = b"n" * size, b"what it names" * 9
    company = artifacts.get_with_company(artifacts.put_with_company([(content, [whole])])[0])[1]
    assert artifacts.get(sha256(content).hexdigest()) == content
    assert company is not None
    for place in (slice(None), slice(5), slice(3, 8), slice(100, 2**40), slice(2**40, 2**41)):
        assert company(place) == whole[place]
    assert artifacts.get(artifacts.put(content + b"alone")) == content + b"alone"


def test_a_content_that_looks_like_one_with_company_is_alone(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    artifacts.put_with_company([(b"names", [b"what it ", b"names"])])
    looks = stored(tmp_path)[0].read_bytes()
    for content in (looks, looks[:16], looks[:20], looks[:30], looks + b"x" * 2**15):
        assert artifacts.get_with_company(artifacts.put(content)) == (content, None)


def test_unknown(artifacts: Artifacts) -> None:
    digest = "0" * 64
    assert not artifacts.has(digest)
    with pytest.raises(NotFoundError, match=f"artifact {digest} is not in"):
        artifacts.get(digest)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_only_digests_are_names(artifacts: Artifacts, digest: str) -> None:
    with pytest.raises(NotFoundError, match="is not a digest: 64 hexadecimal digits"):
        artifacts.get(digest)
