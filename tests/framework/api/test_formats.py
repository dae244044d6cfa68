"""Encodings give equal bytes for equal values, give values back, and refuse what could run."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from loopcast.api import ModelError
from loopcast.api.formats import json_bytes, npz_bytes, read_json, read_npz

names = st.text("abcdefghij_", min_size=1, max_size=6)
shapes = arrays.array_shapes(max_dims=3, max_side=4)
kinds = st.one_of(
    arrays.floating_dtypes(endianness="="),
    arrays.integer_dtypes(endianness="="),
    arrays.boolean_dtypes(),
    arrays.unicode_string_dtypes(endianness="=", max_len=5),
)
finite = st.floats(allow_nan=False, allow_infinity=False)
jsons = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), finite, st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


@given(st.dictionaries(names, arrays.arrays(kinds, shapes), max_size=4))
def test_arrays_come_back(values: dict[str, Any]) -> None:
    data = npz_bytes(values)
    again = read_npz(data)
    assert again.keys() == values.keys()
    for name, array in values.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)
    assert npz_bytes(dict(reversed(values.items()))) == data


@given(
    st.dictionaries(names | st.text("é日", min_size=1), arrays.arrays(kinds, shapes), max_size=4)
)
def test_archives_are_those_of_zipfile_and_numpy(values: dict[str, Any]) -> None:
    expected = io.BytesIO()
    with zipfile.ZipFile(expected, "w") as archive:
        for name in sorted(values):
            content = io.BytesIO()
            np.save(content, values[name], allow_pickle=False)
            about = zipfile.ZipInfo(f"{name}.npy")
            about.create_system = 3
            archive.writestr(about, content.getvalue())
    assert npz_bytes(values) == expected.getvalue()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loopcast.api.formats._PLAIN", 0)
        assert npz_bytes(values) == expected.getvalue()


def test_the_order_in_memory_makes_no_difference() -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert npz_bytes({"a": np.asfortranarray(array)}) == npz_bytes({"a": array})


@given(jsons)
def test_json_comes_back(value: Any) -> None:
    assert read_json(json_bytes(value)) == value


def test_equal_values_have_equal_json() -> None:
    assert json_bytes({"b": [1], "a": "é"}) == json_bytes({"a": "é", "b": [1]})
    assert json_bytes({"a": "é"}) == '{"a":"é"}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, np.float32(1), b"x"])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ModelError, match="cannot be written as JSON"):
        json_bytes({"value": value})


def test_archives_that_numpy_writes_are_read_as_numpy_reads_them() -> None:
    rng = np.random.default_rng(1)
    arrays: dict[str, NDArray[Any]] = {
        "columns": np.asfortranarray(rng.random((3, 5))),
        "empty": np.zeros((0, 4), np.int32),
        "texts": np.array([], dtype=np.str_),
        "number": np.array(7),
        "moments": np.array(["2026-01-01"], dtype="datetime64[us]"),
        "bytes": np.array([b"abc", b"d"]),
        "network order": np.arange(6, dtype=">i4").reshape(1, 2, 3),
        "fields": np.zeros(2, dtype=[("a", "<i4"), ("b", "<f8", (2,))]),
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    for name, found in read_npz(buffer.getvalue()).items():
        expected = arrays[name]
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        assert found.flags.f_contiguous == expected.flags.f_contiguous
        assert found.flags.writeable
        assert np.array_equal(found, expected)


def test_a_compressed_archive_is_read_too() -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, a=np.arange(100.0))
    assert np.array_equal(read_npz(buffer.getvalue())["a"], np.arange(100.0))


@given(st.integers(0, 10_000))
def test_a_bit_that_has_turned_never_changes_an_array_unseen(place: int) -> None:
    arrays = {"a": np.arange(40.0), "b": np.arange(7)}
    data = bytearray(npz_bytes(arrays))
    data[place % len(data)] ^= 1
    try:
        found = read_npz(bytes(data))
    except ModelError:
        return
    for name in found.keys() & arrays.keys():
        assert np.array_equal(found[name], arrays[name])


def test_objects_are_refused() -> None:
    with pytest.raises(ModelError, match="array 'a' cannot be saved safely"):
        npz_bytes({"a": np.array([object()])})


class Trap:
    """What a pickle would run."""

    def __reduce__(self) -> Any:
        return print, ("unpickled",)


def _archive(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", content)
    return buffer.getvalue()


def _pickled_array() -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.array([Trap()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def _header(about: str) -> bytes:
    """An array of one number under a header of one's own."""
    text = f"{{{about}}}".ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text.encode() + bytes(8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an archive",
        pickle.dumps(Trap()),
        _pickled_array(),
        _archive(_pickled_array()),
        npz_bytes({"a": np.arange(100.0)})[:-40],
        _archive(_header("'descr': '<z9', 'fortran_order': False, 'shape': (1,), ")),
        _archive(_header("'descr': '<f8', 'fortran_order': False, 'shape': (01,), ")),
        _archive(_header("'descr': '<f8', 'fortran_order': False, 'shape': (2,), ")),
        _archive(_header("'descr': print(7), 'fortran_order': False, 'shape': (1,), ")),
    ],
    ids=[
        "empty",
        "text",
        "pickle",
        "npy with pickle",
        "npz with pickle",
        "truncated",
        "no type",
        "no number",
        "too short",
        "code",
    ],
)
def test_what_is_no_archive_of_arrays_is_refused(
    data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match="are not an npz archive of arrays"):
        read_npz(data)
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"NaN,"])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="bytes are not JSON"):
        read_json(data)
