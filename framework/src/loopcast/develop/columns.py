"""Columns of a table by the names of a schema, with checks whose messages say where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api import DataError, Feature

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Columns:
    """A table seen through the names of its schema.

    Attributes
    ----------
    source
        Where the table came from, for messages.
    names
        Column of the table by the schema's name, where the two differ.
    time_unit
        Of times that are numbers.
    """

    table: pd.DataFrame
    source: str
    names: Mapping[str, str] = field(default_factory=dict)
    time_unit: str | None = None

    def name(self, wanted: str) -> str:
        """Return what the table calls a column."""
        return self.names.get(wanted, wanted)

    def require(self, wanted: Iterable[str]) -> None:
        """Check that there are rows, and each of the columns.

        Raises
        ------
        DataError
            Naming the first absent column and the nearest one that is there.
        """
        for column in map(self.name, wanted):
            if column not in self.table.columns:
                present = [str(column) for column in self.table.columns]
                near = difflib.get_close_matches(column, present, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise DataError(
                    f"{self.source}: no column {column!r}{hint} (columns: {', '.join(present)})"
                )
        if not len(self.table):
            raise DataError(f"{self.source}: no rows; expected one for each observation")

    def raw(self, wanted: str) -> pd.Series:
        """Return a column as it was read, categories as what they stand for."""
        return written_out(self._held(wanted))

    def refuse(self, wanted: str, bad: NDArray[np.bool_], problem: str, expected: str) -> None:
        """Refuse a column with bad rows.

        Raises
        ------
        DataError
            With how many rows are bad, and the value and number of the first.
        """
        if bad.any():
            row = int(np.argmax(bad))
            value = self.raw(wanted).iloc[row]
            plain = value.item() if isinstance(value, np.generic) else value
            raise DataError(
                f"{self.source}: column {self.name(wanted)!r}: {problem} ({int(bad.sum())}), the "
                f"first {plain!r} in row {row + 1}; expected {expected}"
            )

    def known(self, wanted: str) -> pd.Series:
        """Return a column that may miss nothing."""
        return written_out(self._complete(wanted))

    def missing(self, wanted: str) -> NDArray[np.bool_]:
        """Tell which rows of a column have no value."""
        return np.asarray(self._held(wanted).array.isna())

    def _held(self, wanted: str) -> pd.Series:
        """Return a column as the table holds it."""
        return self.table[self.name(wanted)]

    def _complete(self, wanted: str) -> pd.Series:
        """Return a column as the table holds it, which may miss nothing."""
        column = self._held(wanted)
        missing = np.asarray(column.array.isna())
        self.refuse(wanted, missing, "missing values", "one in each row")
        return column

    def coded(self, wanted: str) -> tuple[NDArray[np.int32], pd.Index]:
        """Return a column that may miss nothing as :func:`coded` does."""
        return coded(self._complete(wanted))

    def numbers(self, wanted: str) -> NDArray[np.float64]:
        """Return a column as finite numbers, NaN where missing."""
        raw = self.raw(wanted)
        numbers = pd.to_numeric(raw, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        bad = (np.isnan(numbers) & raw.notna().to_numpy()) | np.isinf(numbers)
        self.refuse(wanted, bad, "values that are no finite numbers", "numbers")
        return numbers

    def moments(self, wanted: str) -> NDArray[np.datetime64]:
        """Return a column as moments, in UTC where it has a zone."""
        raw = self.known(wanted)
        if pd.api.types.is_datetime64_any_dtype(raw.dtype):
            return raw.to_numpy("datetime64[us]")
        if pd.api.types.is_numeric_dtype(raw.dtype):
            if self.time_unit is None:
                raise DataError(
                    f"{self.source}: column {self.name(wanted)!r}: times are numbers (first: "
                    f"{raw.iloc[0]}); set data.table.time_unit to their unit since 1970, such as s"
                )
            stamps = pd.to_datetime(raw, unit=self.time_unit, errors="coerce", utc=True)  # type: ignore[call-overload]
        else:
            stamps = pd.to_datetime(raw, errors="coerce", utc=True, format=_format(raw))
        self.refuse(
            wanted, stamps.isna().to_numpy(), "values that are no time", "ISO 8601 or a date"
        )
        return np.asarray(stamps.dt.tz_localize(None).to_numpy("datetime64[us]"))

    def feature(self, wanted: str, feature: Feature, *, missing: bool) -> Any:
        """Return a feature as its kind: float64 numbers, or text categories in order.

        Parameters
        ----------
        missing
            Whether a value may be missing whatever the feature says.
        """
        if not (feature.missing or missing):
            self.known(wanted)
        if feature.kind == "category":
            return categories(self._held(wanted))
        numbers = self.numbers(wanted)
        if feature.kind == "flag":
            bad = ~np.isin(numbers, [0.0, 1.0]) & ~np.isnan(numbers)
            self.refuse(wanted, bad, "values that are no flag", "0 or 1")
        low = -np.inf if feature.minimum is None else feature.minimum
        high = np.inf if feature.maximum is None else feature.maximum
        bounds = [
            f"{name} {bound:g}"
            for name, bound in (("at least", low), ("at most", high))
            if np.isfinite(bound)
        ]
        self.refuse(
            wanted,
            (numbers < low) | (numbers > high),
            "values out of bounds",
            f"{feature.unit} {' and '.join(bounds)}".strip(),
        )
        return numbers


def _format(raw: pd.Series) -> str | None:
    return "ISO8601" if raw.dtype == object or isinstance(raw.dtype, pd.StringDtype) else None


def written_out(column: pd.Series) -> pd.Series:
    """Return a column of categories that are texts as these texts, any other as it is."""
    names = _categories_of(column)
    return column if names is None else column.astype(names.dtype)


def _categories_of(column: pd.Series) -> pd.Index | None:
    """Return the categories of a column, where they are texts."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return None
    names: pd.Index = column.dtype.categories
    return names if names.dtype == "str" else None


def coded(values: pd.Series) -> tuple[NDArray[np.int32], pd.Index]:
    """Return the code of each value, −1 where it is missing, and the texts behind the codes.

    Texts are in alphabetical order, each that of a value. Where that is the order of the column's
    categories, no text is looked at.

    Examples
    --------
    >>> codes, names = coded(pd.Series(["b", None, "a", "b"]))
    >>> codes.tolist(), names.tolist()
    ([1, -1, 0, 1], ['a', 'b'])
    """
    names = _categories_of(values)
    if names is None or not names.is_monotonic_increasing:
        found, distinct = pd.factorize(texts(written_out(values)), sort=True)
        return found.astype(np.int32), pd.Index(distinct, dtype="str")
    codes = values.array.codes.astype(np.intp)
    place = codes_in_use(codes, len(names))
    used = place >= 0
    if used.all():
        return codes.astype(np.int32), names
    return np.append(place, np.int32(-1))[codes], names[used]


def codes_in_use(codes: NDArray[np.integer[Any]], count: int) -> NDArray[np.int32]:
    """Return the code that each one of ``count`` gets where unused ones are left out; −1 for those.

    A code of −1 stands for none.

    Examples
    --------
    >>> codes_in_use(np.array([3, 1, -1, 3], dtype=np.int32), 5).tolist()
    [-1, 0, -1, 1, -1]
    """
    seen = np.zeros(count + 1, dtype=bool)
    seen[codes.astype(np.intp, copy=False)] = True  # none marks the last
    used = seen[:count]
    return np.where(used, np.cumsum(used) - 1, -1).astype(np.int32)


def texts(values: pd.Series) -> pd.Series:
    """Return values as text, whole numbers without a point, missing ones as they are."""
    if values.dtype == "str":
        return values
    if pd.api.types.is_float_dtype(values.dtype):
        whole = values.dropna()
        if (whole == np.floor(whole)).all():
            values = values.astype("Int64")
    return values.astype("str").where(values.notna())


def categories(values: pd.Series) -> pd.Categorical[Any]:
    """Return values as categories of text in alphabetical order."""
    codes, names = coded(values)
    return pd.Categorical.from_codes(codes, categories=names)


def text_array(values: Any) -> pa.Array:
    """Return a column of texts as one Arrow array of large strings, as which pandas holds them."""
    import pyarrow as pa

    found = pa.array(values, pa.large_string(), from_pandas=True)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
