"""Tables of features as npz files: numbers as they are, categories as codes and names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api.formats import npz_bytes, read_npz

if TYPE_CHECKING:
    from numpy.typing import NDArray


def frame_bytes(frame: pd.DataFrame, extra: dict[str, NDArray[Any]]) -> bytes:
    """Encode a table of float64 and category columns, indexed by text, and further arrays."""
    arrays: dict[str, Any] = {
        "index": frame.index.to_numpy(np.str_),
        "columns": np.array([str(name) for name in frame.columns], dtype=np.str_),
    }
    for number, (_, column) in enumerate(frame.items()):
        if isinstance(column.dtype, pd.CategoricalDtype):
            arrays[f"codes.{number}"] = column.cat.codes.to_numpy(np.int32)
            arrays[f"names.{number}"] = column.cat.categories.to_numpy(np.str_)
        else:
            arrays[f"values.{number}"] = column.to_numpy(np.float64)
    return npz_bytes(arrays | {f"extra.{name}": values for name, values in extra.items()})


def read_frame(content: bytes) -> tuple[pd.DataFrame, dict[str, NDArray[Any]]]:
    """Decode a table and the further arrays."""
    arrays = read_npz(content)
    columns: dict[str, Any] = {}
    for number, name in enumerate(arrays["columns"]):
        if f"values.{number}" in arrays:
            columns[str(name)] = arrays[f"values.{number}"]
        else:
            names = pd.Index(arrays[f"names.{number}"].astype(str), dtype="str")
            codes = arrays[f"codes.{number}"]
            columns[str(name)] = pd.Categorical.from_codes(codes, categories=names)
    index: pd.Index = pd.Index(arrays["index"].astype(str), dtype="str")
    extra = {
        name.removeprefix("extra."): values
        for name, values in arrays.items()
        if name.startswith("extra.")
    }
    return pd.DataFrame(columns, index=index), extra
