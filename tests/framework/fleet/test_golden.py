"""What devices test: as near as the centre compares, and small enough for a manifest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from loopcast.api import ModelError
from loopcast.api import graph as g
from loopcast.deploy.export.tflite.vectors import Vectors
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast.fleet.golden import GOLDEN_BYTES, GOLDEN_ROWS, allowances, golden_of
from loopcast_edge.wire import Golden

ITEMS = 6000
Floats = NDArray[np.float64]


def lists(weights: Floats, precision: Any = "float32") -> tuple[Vectors, bytes]:
    """Lists of two for each of 60 choices, and a file that says so."""
    names = tuple(map(str, range(weights.shape[1])))
    top = g.Top(g.Linear(g.Features(), weights, np.zeros(len(weights))), 2)
    graph = g.Graph(features=names, output=top, outputs=("item 1", "item 2", "score 1", "score 2"))
    features = np.eye(60, weights.shape[1], dtype=np.float32)
    scores = features @ weights.T
    items = np.argsort(-scores, axis=1)[:, :2]
    expected = np.hstack([items, np.take_along_axis(scores, items, 1)])
    vectors = Vectors(features=features, expected=expected.astype(np.float64), codes=2)
    return vectors, write_tflite(graph, precision).content


def allowed(golden: Golden) -> Floats:
    output = np.abs(golden.output.array())
    return np.asarray(golden.absolute + golden.relative * output, np.float64)


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 4)),
               elements=st.floats(-1e4, 1e4, width=32)),
    st.one_of(st.none(), hnp.arrays(np.float64, (1, 3), elements=st.floats(-1.0, 1.0, width=32))),
)  # fmt: skip
@settings(max_examples=200)
def test_no_column_is_allowed_less_than_its_share(output: Floats, state: Floats | None) -> None:
    """A device must not refuse what the centre would take."""
    absolute, relative = allowances(output, state, 1e-3)
    columns = [*output.T, *(() if state is None else state)]
    for column in columns:
        least = absolute + relative * np.abs(column)
        assert (least >= 0.999e-3 * np.abs(column).max()).all()


def test_a_small_state_is_proved_as_well_as_large_answers() -> None:
    output = np.linspace(4000.0, 9000.0, 24)[:, None]
    state = np.array([[0.3, 1.0, -0.02, 0.0, 0.05]])
    absolute, relative = allowances(output, state, 2e-5)
    assert absolute == pytest.approx(2e-5)
    assert (absolute + relative * output).max() < 3 * 2e-5 * 9000.0


def test_lists_of_thousands_fit_and_their_items_have_to_be_the_same() -> None:
    random = np.random.default_rng(0)
    scores = random.random((3, ITEMS))
    vectors, content = lists(scores)
    golden = golden_of(vectors, content, 1e-5)
    assert len(golden.features.data) + len(golden.output.data) <= GOLDEN_BYTES
    assert 1 < golden.features.shape[0] < GOLDEN_ROWS
    assert allowed(golden).max() <= 2.1e-5 * scores.max()


def test_a_file_with_rounded_weights_has_to_say_what_it_said_here() -> None:
    """Its lists are not those of the model; each device has to make the same of it."""
    random = np.random.default_rng(1)
    weights = random.random((3000, 60))
    vectors, content = lists(weights, "int8")
    golden = golden_of(vectors, content, 0.05)
    assert golden.features.shape[0] <= GOLDEN_ROWS
    found, expected = golden.output.array(), vectors.expected
    by_row = {row.tobytes(): at for at, row in enumerate(vectors.features)}
    own = [by_row[row.tobytes()] for row in golden.features.array()]
    assert not np.array_equal(found[:, 2:], expected[own, 2:].astype(np.float32))
    np.testing.assert_allclose(found[:, 2:], expected[own, 2:], atol=0.05)
    assert allowed(golden).max() <= 0.01  # of item 2,999 too
    equal, same = lists(np.ones((50, 60)), "int8")
    with pytest.raises(ModelError, match="no list of the test scenario"):
        golden_of(equal, same, 0.05)
