"""Encodings of fitted state in formats that cannot run code, the same bytes for the same values."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

from loopcast.api.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_ZIP_DAY = 0b0000000_0001_00001  # the same: years since 1980, month, day
_MODE, _UNIX, _UTF8 = 0o600 << 16, 3, 0x800
_PLAIN, _MANY = 2**31, 2**15
"""Bytes and members up to which an archive needs no fields of the larger format."""

# APPNOTE of PKWARE, sections 4.3.7, 4.3.12 and 4.3.16: what a member's two headers share, what
# the second adds, and what ends the archive.
_MEMBER = struct.Struct("<HHHHHIIIHH")
_PLACE = struct.Struct("<HHHII")
_END = struct.Struct("<HHHHIIH")
_NAME_LENGTHS = struct.Struct("<HH")
_ENCRYPTED = 1

# NEP 1 of NumPy: how an array of a plain type begins in format 1.0, as NumPy writes it. Others are
# left to NumPy, which parses them as code.
_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|=][a-zA-Z]\d*(?:\[\w+\])?)', "
    rb"'fortran_order': (True|False), "
    rb"'shape': \(((?:0|[1-9]\d*),|(?:0|[1-9]\d*)(?:, (?:0|[1-9]\d*))+|)\), \} *\n",
    re.DOTALL,
)


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Encode arrays as an npz archive, deterministically.

    Names are sorted, dates are fixed and the archive is not compressed, since compressors
    differ between machines.

    Raises
    ------
    ModelError
        For an array of objects, which only pickle could hold.

    Examples
    --------
    >>> import numpy as np
    >>> read_npz(npz_bytes({"weights": np.array([0.5, 2.0])}))["weights"]
    array([0.5, 2. ])
    """
    members = [(f"{name}.npy", _npy(name, arrays[name])) for name in sorted(arrays)]
    size = sum(len(data) for _, data in members)
    plain = size < _PLAIN and len(members) < _MANY
    return _plain_zip(members) if plain else _large_zip(members)


def _plain_zip(members: Sequence[tuple[str, bytes]]) -> bytes:
    """Write an archive byte for byte as :mod:`zipfile` does, and faster where arrays are small."""
    parts, directory, place = [], [], 0
    for name, data in members:
        encoded, size = name.encode(), len(data)
        flags = 0 if name.isascii() else _UTF8
        about = _MEMBER.pack(20, flags, 0, 0, _ZIP_DAY, crc32(data), size, size, len(encoded), 0)
        parts += [b"PK\3\4", about, encoded, data]
        directory += [b"PK\1\2\x14\3", about, _PLACE.pack(0, 0, 0, _MODE, place), encoded]
        place += 4 + _MEMBER.size + len(encoded) + size
    central = b"".join(directory)
    count = len(members)
    end = b"PK\5\6" + _END.pack(0, 0, count, count, len(central), place, 0)
    return b"".join([*parts, central, end])


def _large_zip(members: Sequence[tuple[str, bytes]]) -> bytes:
    """Write an archive that may be larger than the plain format holds."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            about = zipfile.ZipInfo(name, _ZIP_EPOCH)
            about.create_system = _UNIX
            archive.writestr(about, data)
    return buffer.getvalue()


def _npy(name: str, array: NDArray[Any]) -> bytes:
    import numpy as np

    values = np.asarray(array, order="C")
    try:
        return _npy_header(values.dtype, values.shape) + values.tobytes()
    except ValueError as error:
        raise ModelError(f"array {name!r} cannot be saved safely: {error}") from None


@lru_cache(maxsize=1024)
def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return how an array begins in an npz archive; headers repeat."""
    import numpy as np

    if dtype.hasobject:
        raise ValueError("it holds objects")
    stream = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, about)
    return stream.getvalue()


def read_npz(data: bytes) -> dict[str, NDArray[Any]]:
    """Decode an npz archive; nothing in it is unpickled.

    Raises
    ------
    ModelError
        When the bytes are not an npz archive of plain arrays.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            return {
                m.filename.removesuffix(".npy"): _array(_content(archive, m, data)) for m in members
            }
    except (
        ValueError,
        TypeError,
        NotImplementedError,
        OSError,
        EOFError,
        struct.error,
        zipfile.BadZipFile,
        AttributeError,
    ) as error:
        raise ModelError(f"{len(data)} bytes are not an npz archive of arrays: {error}") from None


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, data: bytes) -> bytes:
    """Return what an archive holds under a name; where it is as it was written, by its place."""
    if member.flag_bits & _ENCRYPTED:
        raise zipfile.BadZipFile(f"{member.filename} is encrypted")
    if member.compress_type != zipfile.ZIP_STORED:
        return archive.read(member)
    name, extra = _NAME_LENGTHS.unpack_from(data, member.header_offset + 26)
    start = member.header_offset + 30 + name + extra
    content = data[start : start + member.file_size]
    if crc32(content) != member.CRC:
        raise zipfile.BadZipFile(f"bad CRC-32 of {member.filename}")
    return content


def _array(data: bytes) -> NDArray[Any]:
    """Decode an array as an npz archive holds it."""
    import numpy as np

    start = 10 + int.from_bytes(data[8:10], "little")
    shape, fortran, dtype = _header(data[:start])
    if dtype.hasobject:
        raise ValueError("an array holds objects")
    flat = np.frombuffer(data, dtype, offset=start)
    return flat.reshape(shape, order="F" if fortran else "C").copy(order="K")


def _header(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type; to parse a header as code costs more than a small array."""
    import numpy as np

    plain = _NPY.fullmatch(data)
    if plain is not None:
        kind, order, sizes = plain.groups()
        shape = tuple(int(size) for size in sizes.split(b",") if size)
        return shape, order == b"True", np.dtype(kind.decode())
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array is of a format that only very long headers need")
    found: tuple[tuple[int, ...], bool, np.dtype[Any]] = np.lib.format.read_array_header_1_0(stream)
    return found


def json_bytes(value: Any) -> bytes:
    """Encode a value as JSON, deterministically: sorted keys, no white space, UTF-8.

    Raises
    ------
    ModelError
        For a value that JSON cannot hold exactly, such as NaN.

    Examples
    --------
    >>> json_bytes({"b": 1, "a": [0.1, None]})
    b'{"a":[0.1,null],"b":1}'
    """
    try:
        text = json.dumps(
            value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"cannot be written as JSON: {error}") from None
    return text.encode()


def read_json(data: bytes) -> Any:
    """Decode JSON.

    Raises
    ------
    ModelError
        When the bytes are not JSON.
    """
    try:
        return json.loads(data)
    except ValueError as error:
        raise ModelError(f"{len(data)} bytes are not JSON: {error}") from None
