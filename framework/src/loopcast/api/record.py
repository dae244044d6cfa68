"""The base of every record, and the constrained types that records are made of."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Annotated, get_type_hints

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
OpenShare = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]


def place_name(logical_model: str, segment: str) -> str:
    """Name a segment of a logical model, for messages and tables.

    Examples
    --------
    >>> place_name("demand", "north"), place_name("demand", "")
    ('demand/north', 'demand')
    """
    return f"{logical_model}/{segment}" if segment else logical_model


def require_person(name: str) -> None:
    """Check the name of whoever acts, which tables and logs show in one line.

    It is asked where an act is written, and not by records, so that what was written before can
    be read.

    Raises
    ------
    InvalidRecordError
        Where the name has control characters, such as a line break.
    """
    # Control characters, and the line and paragraph separators of Unicode.
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name):
        raise InvalidRecordError(
            f"the name {name!r:.120} has a control character, such as a line break; give it in "
            "one line"
        )


@cache
def _twin(record: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return a plain struct with the same fields, against which one native call checks them."""
    hints = get_type_hints(record, include_extras=True)
    fields = [(name, hints[name]) for name in record.__struct_fields__]
    return msgspec.defstruct(record.__name__, fields)


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An immutable value that cannot be invalid.

    Each field is checked against its annotation whenever a record is made, whether from code,
    from configuration or from a store. The check is strict: a NumPy scalar is no ``float``,
    and has to be converted with ``float(x)``.

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
        try:
            exact = msgspec.convert(self, _twin(type(self)), from_attributes=True)
        except msgspec.ValidationError as error:
            raise InvalidRecordError(self._explain(str(error))) from None
        for name in self.__struct_fields__:
            # What was close enough (a list for a tuple, 1 for 1.0) becomes what is declared.
            msgspec.structs.force_setattr(self, name, getattr(exact, name))
        self.check()

    def _explain(self, message: str) -> str:
        """Put the name of the record and the field before msgspec's sentence."""
        expectation = message.partition(" - at ")[0]
        found = re.search(r"`\$\.?([^`]*)`", message)
        field = found[1] if found else ""
        value = getattr(self, field, None)
        shown = f", got {value!r:.120}" if hasattr(self, field) and "got" not in expectation else ""
        return f"{type(self).__name__}.{field}: {expectation}{shown}"

    def check(self) -> None:
        """Check what a single field's type cannot say; subclasses extend it."""

    def require(self, condition: bool, message: str) -> None:
        """Raise :class:`InvalidRecordError` with ``message`` unless ``condition`` holds."""
        if not condition:
            raise InvalidRecordError(f"{type(self).__name__}: {message}")
