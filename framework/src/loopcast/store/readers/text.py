"""CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from loopcast.api import DataError, Record
from loopcast.store.readers.file import existing

if TYPE_CHECKING:
    import pandas as pd

Character = Annotated[str, msgspec.Meta(min_length=1, max_length=1)]


class CsvOptions(Record, frozen=True):
    """Where a CSV file is, and how it is written.

    Attributes
    ----------
    separator, decimal
        Between fields, and in a number.
    encoding
        Of its text, as Python names it: ``cp1252``.
    """

    path: str
    separator: Character = ","
    decimal: Character = "."
    encoding: str = "utf-8"

    def check(self) -> None:
        """A separator is no decimal mark."""
        self.require(
            self.separator != self.decimal, f"separator and decimal are both {self.decimal!r}"
        )


def _whole(values: pd.Series) -> bool:
    """Tell whether a column is of whole numbers, apart from what is missing."""
    if values.dtype.kind == "f":
        known = values.dropna()
        return len(known) > 0 and bool((known % 1 == 0).all())
    return values.dtype.kind in "iu"


def _read_csv(path: Path, options: CsvOptions, **how: Any) -> pd.DataFrame:
    import pandas as pd

    table: pd.DataFrame = pd.read_csv(path, sep=options.separator, encoding=options.encoding, **how)
    return table


def _codes(table: pd.DataFrame, path: Path, options: CsvOptions) -> dict[str, pd.Series]:
    """Return columns of whole numbers of which one was written with a zero in front, as texts."""
    import pandas as pd

    numbers = [name for name in table if _whole(table[name])]
    if not numbers:
        return {}
    written = _read_csv(path, options, usecols=numbers, dtype="str")
    codes = [name for name in numbers if written[name].str.match(r"0\d").any()]
    # Of rows that are longer than the header, the two readings take different fields for a column.
    as_numbers = {name: pd.to_numeric(written[name], errors="coerce") for name in codes}
    return {str(name): written[name] for name in codes if as_numbers[name].equals(table[name])}


class CsvReader:
    """Reads a CSV file, compressed or not.

    What is written with a zero in front, such as ``0042``, is a code and no number: its column is
    of texts.
    """

    name = "csv"
    summary = "a CSV file, also compressed (.gz, .xz, .zip)"
    options = CsvOptions

    def read(self, options: CsvOptions, base: Path) -> pd.DataFrame:
        """Read the table.

        Raises
        ------
        DataError
            Where the file is absent, empty, no CSV file, or written in another encoding.
        """
        import pandas as pd

        path = existing(options.path, base)
        try:
            # Whole columns at once: in parts, one is of numbers here and of texts there.
            table = _read_csv(path, options, decimal=options.decimal, low_memory=False)
            return table.assign(**_codes(table, path, options))
        except (UnicodeError, LookupError) as error:
            raise DataError(
                f"data file {path} is not text in {options.encoding}: {error}; set "
                "data.options.encoding, as cp1252"
            ) from None
        except (pd.errors.EmptyDataError, pd.errors.ParserError) as error:
            raise DataError(f"data file {path} is not a CSV table: {error}") from None

    def describe(self, options: CsvOptions) -> str:
        """Return the file's path."""
        return options.path
