"""The difference between two files, small where most of them is alike.

The first byte names the form, the rest is a zlib stream:

- 1: the new file less the old one, byte by byte modulo 256, the shorter one continued with zeros.
  It is small where values changed and nothing moved, as when a model keeps its form and the scales
  of its integers: a small change of an integer is a small byte.
- 2: the new file, deflated with the last 32 KiB of the old one as preset dictionary. It is small
  where parts moved.

Source: P. Deutsch and J-L. Gailly, ZLIB Compressed Data Format, RFC 1950; bytewise differences
as in C. Percival, Naive Differences of Executable Code (2003), which has to align the files first.
Tensors are aligned already.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from loopcast_edge.wire.codec import WireError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIFFERENCE, DICTIONARY = b"\x01", b"\x02"
_WINDOW = 32_768
_STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE)


def make_delta(base: bytes, content: bytes) -> bytes:
    """Return how to make a file from another one: the smallest that the forms allow.

    Examples
    --------
    >>> old = bytes(range(256)) * 8
    >>> new = old.replace(b"abc", b"abd")
    >>> len(make_delta(old, new)) < 40, apply_delta(old, make_delta(old, new), len(new)) == new
    (True, True)
    """
    return min(_forms(base, content), key=len)


def _forms(base: bytes, content: bytes) -> Iterator[bytes]:
    changed = _difference(content, base)
    deflater = partial(zlib.compressobj, 9, zlib.DEFLATED, zlib.MAX_WBITS, 9)
    for strategy in _STRATEGIES:
        yield DIFFERENCE + _deflated(deflater(strategy), changed)
    yield DICTIONARY + _deflated(deflater(zlib.Z_DEFAULT_STRATEGY, base[-_WINDOW:]), content)


def apply_delta(base: bytes, delta: bytes, size: int) -> bytes:
    """Return the file that a difference makes of its base.

    Parameters
    ----------
    size
        Of the file, in bytes; no more than so many are ever made.

    Raises
    ------
    WireError
        When it is no difference, or does not make so many bytes.
    """
    form, stream = delta[:1], delta[1:]
    if form == DIFFERENCE:
        return _sum(_inflated(zlib.decompressobj(), stream, size), base)
    if form == DICTIONARY:
        return _inflated(zlib.decompressobj(zdict=base[-_WINDOW:]), stream, size)
    raise WireError(f"delta: form {form.hex() or 'none'}; expected 01 or 02")


def _difference(content: bytes, base: bytes) -> bytes:
    new, old = _alike(content, base)
    return (new - old).tobytes()


def _sum(changed: bytes, base: bytes) -> bytes:
    new, old = _alike(changed, base)
    return (new + old).tobytes()


def _alike(content: bytes, base: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return both as bytes that are added modulo 256, the base made as long as the content."""
    import numpy as np

    known = base[: len(content)].ljust(len(content), b"\0")
    return np.frombuffer(content, np.uint8), np.frombuffer(known, np.uint8)


def _deflated(stream: zlib._Compress, content: bytes) -> bytes:
    return stream.compress(content) + stream.flush()


def _inflated(stream: zlib._Decompress, content: bytes, size: int) -> bytes:
    try:
        found = stream.decompress(content, size + 1)
    except zlib.error as error:
        raise WireError(f"delta: {error}") from None
    if len(found) != size or not stream.eof or stream.unused_data:
        raise WireError(f"delta: it makes other than the {size} bytes of the file")
    return found
