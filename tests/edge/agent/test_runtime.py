from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loopcast_edge.agent import runtime as module
from loopcast_edge.agent.errors import ModelError
from loopcast_edge.agent.runtime import PROBE, Model, runtime

from .. import models


def test_a_model_computes_any_number_of_rows() -> None:
    model = Model(models.linear([[1.0, 2.0], [3.0, 4.0]], [0.5, 0.0]))
    assert (model.width, model.state_width) == (2, 0)
    random = np.random.default_rng(1)
    for rows in (1, 7, 1, 300):
        features = random.normal(size=(rows, 2)).astype(np.float32)
        output, state = model.predict(features)
        assert state is None
        expected = features @ np.array([[1, 2], [3, 4]], np.float32).T + np.array(
            [0.5, 0], np.float32
        )
        np.testing.assert_allclose(output, expected, rtol=1e-6, atol=1e-6)


def test_the_probe_is_what_the_writer_makes() -> None:
    assert PROBE.read_bytes() == models.linear([[1.0]], [1.0])


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"TFL3" * 100])
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match="no model"):
        Model(content)


def test_rows_of_another_width_are_refused_and_harm_nothing() -> None:
    model = Model(models.linear([[1.0, 2.0]], [0.0]))
    for shape in ((1, 3), (2, 3), (1, 1)):
        with pytest.raises(ModelError, match="the model reads 2"):
            model.predict(np.ones(shape, np.float32))
    output, _ = model.predict(np.ones((1, 2), np.float32))
    assert output.tolist() == [[3.0]]


def test_a_broken_installation_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise ImportError(f"{name} was built against another NumPy")

    monkeypatch.setattr(module, "import_module", broken)
    runtime.cache_clear()
    try:
        with pytest.raises(ModelError, match="another NumPy"):
            runtime()
    finally:
        monkeypatch.undo()
        runtime.cache_clear()
    assert runtime().name == "ai-edge-litert"
