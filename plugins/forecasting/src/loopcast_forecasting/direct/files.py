"""A fitted model as files: JSON for what has names, npz for arrays. Nothing that can run code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from loopcast.api import Effect, Files, ModelError, Surface
from loopcast.api.formats import json_bytes, npz_bytes, read_json, read_npz
from loopcast_forecasting.direct.ridge_days import DayRidge, DirectRidge
from loopcast_forecasting.features import FeatureSpec
from loopcast_forecasting.gam.design import Design
from loopcast_forecasting.residual.ridge import PanelRidge

if TYPE_CHECKING:
    from loopcast_forecasting.direct.model import GamRidgeModel, SiteModel

FORMAT = 1
MODEL, ARRAYS = "model.json", "model.npz"
OF_SITE = ("log", "level", "coef")
OF_RIDGE = ("coef", "intercept", "penalty")
Arrays = dict[str, NDArray[Any]]
EFFECTS: Mapping[str, Callable[..., Effect | Surface]] = {"effect": Effect, "surface": Surface}


def encode(model: GamRidgeModel) -> Files:
    """Return the files of a model; the same bytes for the same model."""
    arrays: Arrays = {}
    text = {
        "format": FORMAT,
        "spec": asdict(model.spec),
        "constants": dict(model.constants),
        "failures": dict(model.failures),
        "sites": [_encode_site(site, f"site_{k}", arrays) for k, site in enumerate(model.sites)],
        "effects": [
            _encode_effect(effect, f"effect_{k}", arrays)
            for k, effect in enumerate(_effects(model))
        ],
    }
    return {MODEL: json_bytes(text), ARRAYS: npz_bytes(arrays)}


def decode(files: Files) -> GamRidgeModel:
    """Rebuild a model.

    Raises
    ------
    ModelError
        Where a file is absent, or of another format.
    """
    from loopcast_forecasting.direct.model import GamRidgeModel

    absent = [name for name in (MODEL, ARRAYS) if name not in files]
    if absent:
        raise ModelError(f"forecasting.gam_ridge: file {absent[0]} is missing")
    text, arrays = read_json(files[MODEL]), read_npz(files[ARRAYS])
    if text.get("format") != FORMAT:
        raise ModelError(
            f"forecasting.gam_ridge: {MODEL} has format {text.get('format')!r}; expected {FORMAT}"
        )
    explained: dict[str, tuple[Effect | Surface, ...]] = {}
    for k, values in enumerate(text["effects"]):
        effect = _decode_effect(values, f"effect_{k}", arrays)
        explained[effect.series] = (*explained.get(effect.series, ()), effect)
    return GamRidgeModel(
        spec=FeatureSpec(**_with_tuples(text["spec"])),
        sites=tuple(
            _decode_site(site, f"site_{k}", arrays) for k, site in enumerate(text["sites"])
        ),
        constants=text["constants"],
        failures=text["failures"],
        explained=explained,
    )


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}


def _effects(model: GamRidgeModel) -> Iterator[Effect | Surface]:
    for site in model.sites:
        yield from model.effects(site.names)


def _encode_site(site: SiteModel, prefix: str, arrays: Arrays) -> dict[str, Any]:
    arrays |= {f"{prefix}_{name}": getattr(site, name) for name in OF_SITE}
    for h, day in enumerate(site.residual.days):
        arrays |= {f"{prefix}_day_{h}_{name}": getattr(day.ridge, name) for name in OF_RIDGE}
    return {
        "site": site.site,
        "design": site.design.to_dict(),
        "names": site.names,
        "cosines": site.residual.cosines,
        "lags": [day.lags for day in site.residual.days],
    }


def _decode_site(values: Mapping[str, Any], prefix: str, arrays: Arrays) -> SiteModel:
    from loopcast_forecasting.direct.model import SiteModel

    of_site: dict[str, Any] = {name: arrays[f"{prefix}_{name}"] for name in OF_SITE}
    return SiteModel(
        site=values["site"],
        design=Design.from_dict(values["design"]),
        names=tuple(values["names"]),
        residual=DirectRidge(
            cosines=values["cosines"],
            days=tuple(
                DayRidge(
                    lags=tuple(lags),
                    ridge=PanelRidge(
                        **{name: arrays[f"{prefix}_day_{h}_{name}"] for name in OF_RIDGE}
                    ),
                )
                for h, lags in enumerate(values["lags"])
            ),
        ),
        **of_site,
    )


def _encode_effect(effect: Effect | Surface, prefix: str, arrays: Arrays) -> dict[str, Any]:
    text: dict[str, Any] = {"kind": "surface" if isinstance(effect, Surface) else "effect"}
    for name, value in asdict(effect).items():
        if isinstance(value, np.ndarray):
            arrays[f"{prefix}_{name}"] = value
        else:
            text[name] = value
    return text | {"arrays": [key for key in asdict(effect) if key not in text]}


def _decode_effect(values: Mapping[str, Any], prefix: str, arrays: Arrays) -> Effect | Surface:
    text = _with_tuples({k: v for k, v in values.items() if k not in ("kind", "arrays")})
    found = {name: arrays[f"{prefix}_{name}"] for name in values["arrays"]}
    return EFFECTS[values["kind"]](**text, **found)
