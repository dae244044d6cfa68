"""Moments as arrays have them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np


def in_utc(moment: datetime) -> np.datetime64:
    """Return a moment with a time zone as a time without one in UTC, in microseconds.

    Examples
    --------
    >>> from datetime import timedelta, timezone
    >>> in_utc(datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=10))))
    np.datetime64('2025-12-31T22:00:00.000000')
    """
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
