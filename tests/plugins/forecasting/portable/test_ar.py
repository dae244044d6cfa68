"""A sparse autoregression as blocks: what a file forecasts is what the recursion does."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast.api import graph as g
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast_forecasting.portable.ar import ArMemory
from loopcast_forecasting.portable.memory import Seen
from loopcast_forecasting.residual.ar import PanelAr


def written(memory: ArMemory) -> bytes:
    """A file whose only feature is the last residual, which is observed."""
    last = g.First(g.Features())
    seen = Seen(residual=last, observed=g.Constant((1.0,)), hour=last)
    ahead, following = memory.blocks(g.State(), seen)
    graph = g.Graph(
        features=("residual",), output=ahead, outputs=("ahead",), state=memory.size,
        next_state=following,
    )  # fmt: skip
    return write_tflite(graph).content


@given(
    lags=st.sets(st.integers(1, 30), min_size=1, max_size=5),
    steps=st.integers(2, 24),
    seed=st.integers(0, 99),
)
@settings(max_examples=15)
def test_a_file_forecasts_as_the_recursion_does(lags: set[int], steps: int, seed: int) -> None:
    """With lags shorter and longer than the horizon, and shocks that grow as well."""
    random = np.random.default_rng(seed)
    phi = random.normal(0.0, 0.5, (len(lags), 3))
    ar = PanelAr(lags=tuple(sorted(lags)), phi=phi)
    residuals = random.normal(0.0, 1.0, (max(lags) + 1, 3))
    memory = ArMemory(ar=ar, series=1, steps=steps)
    [session] = sessions(written(memory))
    rows = np.full((steps, 1), residuals[-1, 1], np.float32)
    found, following = session.run(rows, residuals[None, :-1, 1].astype(np.float32))
    expected = ar.forecast(residuals, steps)[:, 1]
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5 * np.abs(expected).max())
    assert following is not None
    np.testing.assert_allclose(following[0], residuals[1:, 1], rtol=1e-6)


def test_a_longer_day_takes_its_steps_and_not_their_square() -> None:
    ar = PanelAr(lags=(1, 2, 48, 336), phi=np.full((4, 1), 0.2))
    short, long = (len(written(ArMemory(ar=ar, series=0, steps=n))) for n in (48, 144))
    lags, weight, zero = 4 * 4, 4, 4
    assert long - short <= (144 - 48) * (lags + weight + zero) + 64
