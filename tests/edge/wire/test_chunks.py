from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loopcast_edge.wire import Assembler, Chunk, WireError, publish_delta, publish_file

CONTENT = random.Random(1).randbytes(10_000)
PUBLISHED = publish_file(CONTENT, chunk_size=1024)
INDEX, CHUNKS = PUBLISHED.index, PUBLISHED.chunks


def gathered(path: Path, chunks: tuple[Chunk, ...] = CHUNKS) -> Assembler:
    assembler = Assembler(path, INDEX)
    for chunk in chunks:
        assembler.add(chunk)
    return assembler


@given(st.permutations(CHUNKS), st.lists(st.sampled_from(CHUNKS), max_size=5), st.integers(0, 15))
def test_chunks_come_in_any_order_and_again_and_after_a_restart(
    tmp_path_factory: pytest.TempPathFactory, order: list[Chunk], again: list[Chunk], cut: int
) -> None:
    part = tmp_path_factory.mktemp("chunks") / "part"
    sequence = [*again, *order]
    gathered(part, tuple(sequence[:cut]))  # killed here
    assembler = Assembler(part, INDEX)
    there = {chunk.number for chunk in sequence[:cut]}
    assert assembler.missing == tuple(n for n in range(len(CHUNKS)) if n not in there)
    assert {c.number for c in sequence[cut:] if assembler.add(c)} == set(range(len(CHUNKS))) - there
    assembler.finish(part.with_name("model.tflite"))
    assert part.with_name("model.tflite").read_bytes() == CONTENT
    assert not part.exists()


def test_a_damaged_chunk_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    assembler = gathered(tmp_path / "part", CHUNKS[:4])
    for bit in range(0, 8192, 97):
        data = bytearray(CHUNKS[4].data)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(WireError, match=r"chunk 4 of .* is damaged"):
            assembler.add(replace(CHUNKS[4], data=bytes(data)))
    assert assembler.add(CHUNKS[4])
    assert assembler.missing == (5, 6, 7, 8, 9)


@pytest.mark.parametrize("changes", [{"number": 10}, {"body": "0" * 64}])
def test_a_chunk_of_another_file_is_refused(tmp_path: Path, changes: dict[str, int | str]) -> None:
    with pytest.raises(WireError, match="is not of this file"):
        Assembler(tmp_path / "part", INDEX).add(replace(CHUNKS[0], **changes))


def test_bits_that_flip_on_the_disk_are_noticed(tmp_path: Path) -> None:
    part = tmp_path / "part"
    gathered(part)
    content = bytearray(part.read_bytes())
    content[3000] ^= 1
    part.write_bytes(content)
    assert Assembler(part, INDEX).missing == (2,)
    part.write_bytes(content[:5000] + bytes(20_000))
    assert Assembler(part, INDEX).missing == (2, 4, 5, 6, 7, 8, 9)


def test_a_file_is_not_finished_before_it_is_whole_and_right(tmp_path: Path) -> None:
    part, target = tmp_path / "part", tmp_path / "model.tflite"
    with pytest.raises(WireError, match="1 of 10 chunks are missing"):
        gathered(part, CHUNKS[1:]).finish(target)
    assembler = gathered(part)
    content = bytearray(part.read_bytes())
    content[0] ^= 1
    part.write_bytes(content)  # between the last chunk and the end
    with pytest.raises(WireError, match="part: digest"):
        assembler.finish(target)
    assert not target.exists()
    assert Assembler(part, INDEX).missing == tuple(range(10))


def test_a_file_comes_as_a_difference(tmp_path: Path) -> None:
    base, part, target = (tmp_path / name for name in ("base", "part", "model.tflite"))
    content = CONTENT[:6000] + b"new" + CONTENT[6003:]
    published = publish_delta(content, CONTENT)
    assert published is not None
    assert published.index.body_size < 100
    base.write_bytes(CONTENT)
    for _ in range(2):  # the second time, it is there already
        assembler = Assembler(part, published.index)
        for chunk in published.chunks:
            assembler.add(chunk)
        assembler.finish(target, base)
        assert target.read_bytes() == content
    base.write_bytes(CONTENT[1:])
    assembler = Assembler(part, published.index)
    assembler.add(published.chunks[0])
    with pytest.raises(WireError, match="base: digest"):
        assembler.finish(target, base)
    assert target.read_bytes() == content


def test_a_difference_is_published_only_where_it_is_smaller() -> None:
    assert publish_delta(CONTENT, random.Random(2).randbytes(10_000)) is None


def test_an_empty_file_has_no_chunks(tmp_path: Path) -> None:
    empty = publish_file(b"")
    assert empty.chunks == ()
    Assembler(tmp_path / "part", empty.index).finish(tmp_path / "empty")
    assert (tmp_path / "empty").read_bytes() == b""


def test_an_index_fits_its_chunks() -> None:
    with pytest.raises(ValueError, match="9 chunks; 10000 bytes are 10"):
        replace(INDEX, chunks=INDEX.chunks[1:])
    with pytest.raises(ValueError, match="without a base"):
        replace(INDEX, size=9)
