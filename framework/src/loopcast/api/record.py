"""The base of every record, and the constrained types that records are made of."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, get_type_hints

import msgspec

from loopcast.api.errors import InvalidRecordError

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A name in configuration: lower case letters, digits and underscores."""

TemplateName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
"""`domain.algorithm`, for example `forecasting.gam_arima`."""

Segment = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$|^$", max_length=120)]
"""A member of a family; the empty string where there is no family."""

Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal."""

VersionId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}$")]
"""The first 16 hexadecimal digits of the digest of a version's manifest."""

NonNegative = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


@cache
def _field_types(record: type[msgspec.Struct]) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(record, include_extras=True)
    return tuple((name, hints[name]) for name in record.__struct_fields__)


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An immutable value that cannot be invalid.

    Each field is checked against its annotation whenever a record is made, whether from code,
    from configuration or from a store.

    Raises
    ------
    InvalidRecordError
        Naming the record, the field and what the field takes.

    Examples
    --------
    >>> class Point(Record, frozen=True):
    ...     x: Share
    >>> Point(x=0.5)
    Point(x=0.5)
    >>> Point(x=7.0)
    Traceback (most recent call last):
    ...
    loopcast.api.errors.InvalidRecordError: Point.x: Expected `float` <= 1.0, got 7.0
    """

    def __post_init__(self) -> None:
        for name, annotation in _field_types(type(self)):
            value = getattr(self, name)
            try:
                msgspec.convert(value, annotation)
            except msgspec.ValidationError as error:
                shown = "" if isinstance(value, msgspec.Struct) else f", got {value!r:.120}"
                message = f"{type(self).__name__}.{name}: {error}{shown}"
                raise InvalidRecordError(message) from None
        self.check()

    def check(self) -> None:
        """Check what a single field's type cannot say; subclasses extend it."""

    def require(self, condition: bool, message: str) -> None:
        """Raise :class:`InvalidRecordError` with ``message`` unless ``condition`` holds."""
        if not condition:
            raise InvalidRecordError(f"{type(self).__name__}: {message}")
