"""The vectors and tables of the specification are those of the code.

``LOOPCAST_WRITE=1 uv run pytest -n0 tests/edge/wire/test_vectors.py`` writes them anew.
"""

from __future__ import annotations

import base64
import json
import os
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest
from nacl.bindings import (
    crypto_box_open,
    crypto_scalarmult_base,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)

from loopcast_edge import wire
from loopcast_edge.wire import Assembler, Chunk, FileIndex, WireError, apply_delta, decode

from . import specification, vectors
from .examples import EXAMPLES

FOLDER = Path(__file__).with_name("vectors")
PAGE = Path(__file__).resolve().parents[3] / "docs" / "wire.md"
WRITE = os.environ.get("LOOPCAST_WRITE") == "1"


def read(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def text_of(content: vectors.Json) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if WRITE:
    FOLDER.mkdir(exist_ok=True)
    for made, written in vectors.everything().items():
        (FOLDER / f"{made}.json").write_text(text_of(written))
    PAGE.write_text(specification.filled(PAGE.read_text()))


@pytest.mark.parametrize("name", sorted(vectors.everything().keys() - {"delta"}))
def test_the_vectors_are_those_of_the_code(name: str) -> None:
    """Those of differences are tested below: another zlib packs otherwise."""
    assert (FOLDER / f"{name}.json").read_text() == text_of(vectors.everything()[name])


def test_the_tables_are_those_of_the_records() -> None:
    assert PAGE.read_text() == specification.filled(PAGE.read_text())


def test_every_record_is_on_the_page() -> None:
    exported = [getattr(wire, name) for name in wire.__all__]
    kinds = [each for each in exported if isinstance(each, type)]
    records = {kind.__name__ for kind in kinds if issubclass(kind, msgspec.Struct)}
    never_sent = {"Message", "Batch", "Trust"}
    assert records - never_sent | {"steps"} == specification.named(PAGE.read_text())


def test_every_link_of_the_page_leads_somewhere() -> None:
    text = PAGE.read_text()
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


@pytest.mark.parametrize("vector", read("messages"), ids=lambda v: v["name"])
def test_another_decoder_reads_the_same(vector: dict[str, Any]) -> None:
    payload = bytes.fromhex(vector["bytes"])
    said = msgpack.unpackb(payload)
    assert vectors.hexadecimal(said) == vector["says"]
    again = msgpack.packb(said)
    assert decode(again, type(EXAMPLES[vector["name"]])) == EXAMPLES[vector["name"]]


@pytest.mark.parametrize("vector", read("refused"), ids=lambda v: v["why"])
def test_what_is_to_be_refused_is(vector: dict[str, Any]) -> None:
    kind = type(EXAMPLES[vector["kind"]])
    with pytest.raises(WireError):
        decode(bytes.fromhex(vector["bytes"]), kind)


def test_another_library_verifies_the_signature() -> None:
    vector = {name: bytes.fromhex(value) for name, value in read("signature").items()}
    public, _ = crypto_sign_seed_keypair(vector["seed"])
    assert public == vector["public"]
    signed = vector["signature"] + vector["covered"]
    assert crypto_sign_open(signed, public) == b"loopcast/1/rollback\0" + vector["payload"]


def test_another_library_opens_what_is_sealed() -> None:
    vector = read("enrolment")
    device, centre = (bytes.fromhex(vector[f"{who}_secret"]) for who in ("device", "centre"))
    public = {who: crypto_scalarmult_base(own) for who, own in (("d", device), ("c", centre))}
    assert public["d"].hex() == vector["device_public"]
    assert vector["invitation"].startswith(vector["token"] + ".")
    assert base64.urlsafe_b64decode(vector["invitation"].partition(".")[2] + "=") == public["c"]
    for name, other, own in (
        ("application", public["d"], centre),
        ("admission", public["c"], device),
    ):
        sealed = msgpack.unpackb(bytes.fromhex(vector["sealed"][name]))
        nonce, ciphertext = sealed["box"][:24], sealed["box"][24:]
        assert sealed["sender"] == other
        assert crypto_box_open(ciphertext, nonce, other, own).hex() == vector["says"][name]


def test_news_of_keys_are_accepted_or_not() -> None:
    found = read("trust")
    for case in found["cases"]:
        keys = [bytes.fromhex(each) for each in case["keys"]]
        manifest = bytes.fromhex(case["manifest"])
        assert vectors.accepted(keys, manifest, case["now"]) == case["accepted"], case["what"]
    assert [case["accepted"] for case in found["cases"]].count(True) == 2


def test_a_file_is_put_together_from_its_vectors(tmp_path: Path) -> None:
    found = read("file")
    content = bytes.fromhex(found["content"])
    assembler = Assembler(tmp_path / "part", decode(bytes.fromhex(found["index"]), FileIndex))
    for chunk in found["chunks"]:
        assembler.add(decode(bytes.fromhex(chunk), Chunk))
    assembler.finish(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == content


def test_differences_make_their_files() -> None:
    forms = set()
    for each in read("delta"):
        base, made, delta = (bytes.fromhex(each[name]) for name in ("base", "content", "delta"))
        assert apply_delta(base, delta, len(made)) == made == by_hand(base, delta)
        assert len(delta) < 200
        forms.add(delta[0])
    assert forms == {1, 2}


def by_hand(base: bytes, delta: bytes) -> bytes:
    """Apply a difference as the specification says it, byte by byte."""
    if delta[0] == 2:
        return zlib.decompressobj(zdict=base[-32768:]).decompress(delta[1:])
    changed = zlib.decompress(delta[1:])
    return bytes((b + (base[n] if n < len(base) else 0)) % 256 for n, b in enumerate(changed))


def test_a_sketch_is_read_bit_by_bit() -> None:
    found = read("sketch")
    packed = bytes.fromhex(found["packed_counts"])
    bits = iter("".join(f"{byte:08b}" for byte in packed))

    def number(width: int) -> int:
        return int("0" + "".join(next(bits) for _ in range(width)), 2)

    def unary() -> int:
        ones = 0
        while next(bits) == "1":
            ones += 1
        return ones

    for counts in found["counts"]:
        k = number(5)
        low = [number(k) for _ in counts]
        assert [(unary() << k) + rest for rest in low] == counts
    assert set(bits) <= {"0"}
    load = [value for value in found["rows"]["load"] if value is not None]
    centred = [value - 1.0 for value in load]
    squares = sum(value**2 for value in centred)
    expected = struct.pack("<4f", sum(centred), squares, min(load), max(load))
    assert bytes.fromhex(found["packed_moments"])[:16] == expected
