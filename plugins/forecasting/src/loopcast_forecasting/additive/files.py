"""Files of a fitted model: JSON for what has names, npz for arrays. Nothing that can run code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopcast.api import Effect, Files, ModelError, Surface
from loopcast.api.formats import json_bytes, npz_bytes, read_json, read_npz
from loopcast_forecasting.features import FeatureSpec

FORMAT = 1
MODEL, ARRAYS = "model.json", "model.npz"
Arrays = dict[str, NDArray[Any]]
EFFECTS: Mapping[str, type[Effect] | type[Surface]] = {"effect": Effect, "surface": Surface}


def pack(text: Mapping[str, Any], arrays: Arrays) -> Files:
    """Return files of named values and arrays; the same bytes for the same ones."""
    return {MODEL: json_bytes({"format": FORMAT, **text}), ARRAYS: npz_bytes(arrays)}


def unpack(files: Files, template: str) -> tuple[dict[str, Any], Arrays]:
    """Return what `pack` was given.

    Raises
    ------
    ModelError
        Where a file is absent, or of another format.
    """
    absent = [name for name in (MODEL, ARRAYS) if name not in files]
    if absent:
        raise ModelError(f"{template}: file {absent[0]} is missing")
    text = read_json(files[MODEL])
    if text.get("format") != FORMAT:
        raise ModelError(
            f"{template}: {MODEL} has format {text.get('format')!r}; expected {FORMAT}"
        )
    return text, read_npz(files[ARRAYS])


def decode_spec(values: Mapping[str, Any]) -> FeatureSpec:
    """Rebuild what features are from its fields."""
    return FeatureSpec(**{key: _tuple(value) for key, value in values.items()})


def encode_effect(effect: Effect | Surface, position: int, arrays: Arrays) -> dict[str, Any]:
    """Return an effect as values for JSON, and add its arrays to ``arrays``."""
    text: dict[str, Any] = {"kind": "surface" if isinstance(effect, Surface) else "effect"}
    for name, value in asdict(effect).items():
        if isinstance(value, np.ndarray):
            arrays[f"effect_{position}_{name}"] = value
        else:
            text[name] = value
    return text


def decode_effect(values: Mapping[str, Any], position: int, arrays: Arrays) -> Effect | Surface:
    """Rebuild what `encode_effect` returned."""
    kind: Callable[..., Effect | Surface] = EFFECTS[values["kind"]]
    return kind(
        **{
            name: _tuple(values[name]) if name in values else arrays[f"effect_{position}_{name}"]
            for name in (each.name for each in fields(EFFECTS[values["kind"]]))
        }
    )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
