"""Memory that the process no longer uses goes back to the system.

To start, and to load a model, touches most pages of the libraries, and to predict a small part of
them. The rest stays mapped, and counts as resident, until the system is short of memory and has
found out that nobody looks at it. Code is never changed, so that it can be given back at any time:
a page that is needed again is mapped again from the file cache, or read from the disk.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

MAPPINGS = Path("/proc/self/smaps")


def give_back() -> int:
    """Unmap the pages of code, those that are in use too; return how many bytes these were.

    On systems other than Linux it does nothing, and returns 0.
    """
    if not sys.platform.startswith("linux") or not MAPPINGS.exists():
        return 0
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    with MAPPINGS.open() as lines:
        return sum(
            resident
            for start, end, resident in code(lines)
            if advise(start, end - start, mmap.MADV_DONTNEED) == 0
        )


def code(lines: Iterable[str]) -> Iterator[tuple[int, int, int]]:
    """Give start, end and resident bytes of the mappings that hold nothing but code of files.

    What was written to since it was mapped would be lost: such mappings are left out. A mapping of
    code lasts as long as the process does, so that its address cannot be another's by now.

    Parameters
    ----------
    lines
        Of ``/proc/self/smaps``: for each mapping a line of address, permissions, offset, device,
        inode and path, then lines of a name and kilobytes.

    Examples
    --------
    >>> head = "7f00-7f10 {} 0 00:01 7 /lib/libm.so"
    >>> of = ["Rss: 3 kB", "Anonymous: 0 kB"]
    >>> list(code([head.format("r-xp"), *of, head.format("rw-p"), *of]))
    [(32512, 32528, 3072)]
    """
    bounds, resident = "", 0
    for line in lines:
        name, *values = line.split()
        if not name.endswith(":"):
            of_file = len(values) > 4 and values[4].startswith("/")
            bounds = name if of_file and values[0] == "r-xp" else ""
        elif name == "Rss:":
            resident = int(values[0]) * 1024
        elif name == "Anonymous:" and values[0] == "0" and bounds:
            start, end = (int(each, 16) for each in bounds.split("-"))
            yield start, end, resident
