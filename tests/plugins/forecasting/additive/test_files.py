from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pytest

from loopcast.api import Effect, Files, ForecastData, ModelError, Surface
from loopcast.api.formats import json_bytes, read_json
from loopcast_forecasting.additive.model import HybridModel, load_model

Load = Callable[[Files], HybridModel]


@pytest.fixture(scope="module")
def load(model: HybridModel) -> Load:
    return partial(load_model, step=model.step, template="forecasting.some")


@pytest.fixture(scope="module")
def saved(model: HybridModel) -> Files:
    return model.save()


def test_a_loaded_model_forecasts_the_same_bits(
    panel: ForecastData, model: HybridModel, saved: Files, load: Load
) -> None:
    steps = pd.date_range("2014-05-09", periods=48, freq="1h", tz=panel.timezone)
    past = panel.until(steps[0], steps[-1] + pd.Timedelta("1h"))
    loaded = load(saved)
    np.testing.assert_array_equal(loaded.predict(past, steps).mean, model.predict(past, steps).mean)
    assert loaded.failures == model.failures
    assert loaded.spec == model.spec


def test_effects_are_kept_of_the_largest_series(
    model: HybridModel, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loopcast_forecasting.additive.model.EXPLAINED", 1)
    few = load(model.save())
    assert few.effects(["port"])
    assert few.effects(["homes", "shops"]) == ()


def test_saving_again_gives_the_same_bytes(model: HybridModel, saved: Files, load: Load) -> None:
    assert load(saved).save() == saved
    assert model.save() == saved


def test_effects_are_saved(model: HybridModel, saved: Files, load: Load) -> None:
    loaded = load(saved)
    for before, after in zip(
        model.effects(["homes", "port"]), loaded.effects(["homes", "port"]), strict=True
    ):
        assert type(before) is type(after)
        assert before.title == after.title
        np.testing.assert_array_equal(before.value, after.value)
        if isinstance(before, Effect) and isinstance(after, Effect):
            assert (before.unit, before.by, before.labels) == (after.unit, after.by, after.labels)
            np.testing.assert_array_equal(before.low, after.low)
        assert isinstance(before, Effect | Surface)


def test_wrong_files_are_refused(saved: Files, load: Load) -> None:
    files = dict(saved)
    with pytest.raises(ModelError, match=r"forecasting\.some: file model\.npz is missing"):
        load({"model.json": files["model.json"]})
    text = read_json(files["model.json"]) | {"format": 99}
    with pytest.raises(ModelError, match="format 99; expected 1"):
        load(files | {"model.json": json_bytes(text)})
