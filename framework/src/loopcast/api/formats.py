"""Encodings of fitted state in formats that cannot run code, the same bytes for the same values."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

from loopcast.api.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_NAME_LENGTHS = struct.Struct("<HH")
_ENCRYPTED = 1


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
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _ZIP_EPOCH), _npy(name, arrays[name]))
    return buffer.getvalue()


def _npy(name: str, array: NDArray[Any]) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    try:
        np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
    except ValueError as error:
        raise ModelError(f"array {name!r} cannot be saved safely: {error}") from None
    return buffer.getvalue()


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
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
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


@lru_cache(maxsize=1024)
def _header(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type; headers repeat, and cost more to parse than small arrays."""
    import numpy as np

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
