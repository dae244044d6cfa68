"""Imported last by the process that others are forked from: what it has imported stays.

To import this keeps Python from looking through all of that for cycles of objects: here at the end,
when everything goes, and in the processes that are forked, in memory that they share until it is
touched. Source: the documentation of :func:`gc.freeze`.
"""

from __future__ import annotations

import gc

gc.freeze()
