"""A fitted hybrid as files: JSON for what has names, npz for arrays. Nothing that can run code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from loopcast.api import Effect, Files, ModelError, Surface
from loopcast.api.formats import json_bytes, npz_bytes, read_json, read_npz
from loopcast_forecasting.features import FeatureSpec
from loopcast_forecasting.gam.design import Design
from loopcast_forecasting.residual.arima import ResidualModel

if TYPE_CHECKING:
    from loopcast_forecasting.additive.model import GamArimaModel, SeriesModel, SiteModel

FORMAT = 1
MODEL, ARRAYS = "model.json", "model.npz"
Arrays = dict[str, NDArray[Any]]
EFFECTS: Mapping[str, Callable[..., Effect | Surface]] = {"effect": Effect, "surface": Surface}


def encode(model: GamArimaModel) -> Files:
    """Return the files of a model; the same bytes for the same model."""
    arrays: Arrays = {}
    text = {
        "format": FORMAT,
        "spec": asdict(model.spec),
        "constants": dict(model.constants),
        "failures": dict(model.failures),
        "sites": [_encode_site(site, k, arrays) for k, site in enumerate(model.sites)],
        "effects": [_encode_effect(effect, k, arrays) for k, effect in enumerate(_effects(model))],
    }
    return {MODEL: json_bytes(_plain(text)), ARRAYS: npz_bytes(arrays)}


def decode(files: Files) -> GamArimaModel:
    """Rebuild a model.

    Raises
    ------
    ModelError
        Where a file is absent, or of another format.
    """
    from loopcast_forecasting.additive.model import GamArimaModel

    absent = [name for name in (MODEL, ARRAYS) if name not in files]
    if absent:
        raise ModelError(f"forecasting.gam_arima: file {absent[0]} is missing")
    text, arrays = read_json(files[MODEL]), read_npz(files[ARRAYS])
    if text.get("format") != FORMAT:
        raise ModelError(
            f"forecasting.gam_arima: {MODEL} has format {text.get('format')!r}; expected {FORMAT}"
        )
    explained: dict[str, tuple[Effect | Surface, ...]] = {}
    for k, values in enumerate(text["effects"]):
        effect = _decode_effect(values, k, arrays)
        explained[effect.series] = (*explained.get(effect.series, ()), effect)
    return GamArimaModel(
        spec=FeatureSpec(**{key: _tuple(value) for key, value in text["spec"].items()}),
        sites=tuple(_decode_site(site, k, arrays) for k, site in enumerate(text["sites"])),
        constants=text["constants"],
        failures=text["failures"],
        explained=explained,
    )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Return what JSON can hold: arrays and numbers of NumPy as lists and Python numbers."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value


def _effects(model: GamArimaModel) -> Iterator[Effect | Surface]:
    for site in model.sites:
        yield from model.effects(list(site.series))


def _encode_site(site: SiteModel, position: int, arrays: Arrays) -> dict[str, Any]:
    models = list(site.series.values())
    arrays[f"coef_{position}"] = np.column_stack([model.coef for model in models])
    return {
        "site": site.site,
        "design": site.design.to_dict(),
        "series": [
            {
                "name": name,
                "log": model.log,
                "level": model.level,
                "residual": asdict(model.residual),
            }
            for name, model in site.series.items()
        ],
    }


def _decode_site(values: dict[str, Any], position: int, arrays: Arrays) -> SiteModel:
    from loopcast_forecasting.additive.model import SiteModel

    coef = arrays[f"coef_{position}"]
    return SiteModel(
        site=values["site"],
        design=Design.from_dict(values["design"]),
        series={
            series["name"]: _decode_series(series, coef[:, k])
            for k, series in enumerate(values["series"])
        },
    )


def _decode_series(values: dict[str, Any], coef: NDArray[np.float64]) -> SeriesModel:
    from loopcast_forecasting.additive.model import SeriesModel

    residual = values["residual"]
    return SeriesModel(
        log=values["log"],
        level=values["level"],
        coef=np.ascontiguousarray(coef),
        residual=ResidualModel(
            lags=tuple(residual["lags"]),
            phi=np.array(residual["phi"], dtype=np.float64),
            order=(residual["order"][0], residual["order"][1], residual["order"][2]),
            params=np.array(residual["params"], dtype=np.float64),
        ),
    )


def _encode_effect(effect: Effect | Surface, position: int, arrays: Arrays) -> dict[str, Any]:
    kind = "surface" if isinstance(effect, Surface) else "effect"
    text: dict[str, Any] = {"kind": kind}
    for name, value in asdict(effect).items():
        if isinstance(value, np.ndarray):
            arrays[f"effect_{position}_{name}"] = value
        else:
            text[name] = value
    return text


def _decode_effect(values: dict[str, Any], position: int, arrays: Arrays) -> Effect | Surface:
    prefix = f"effect_{position}_"
    found = {
        key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)
    }
    text = {key: _tuple(value) for key, value in values.items() if key != "kind"}
    return EFFECTS[values["kind"]](**text, **found)
