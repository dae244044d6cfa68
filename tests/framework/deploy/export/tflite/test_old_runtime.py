"""The oldest runtime that is supported computes the same from a file as LiteRT.

It is installed into an environment of its own: it needs NumPy 1 and Python 3.11 or older.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from loopcast.api import graph as g
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast.deploy.export.tflite.storage import PRECISIONS
from loopcast.deploy.export.tflite.write import write_tflite

OLD = ("tflite-runtime==2.14.0", "numpy<2")
PROGRAM = """
import sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
found = {}
for path in sys.argv[2:]:
    given = np.load(path + ".npz")
    model = Interpreter(model_path=path)
    inputs = model.get_input_details()
    model.resize_tensor_input(inputs[0]["index"], given["features"].shape)
    model.allocate_tensors()
    for one in inputs:
        model.set_tensor(one["index"], given[one["name"]])
    model.invoke()
    for place, one in enumerate(model.get_output_details()):
        found[path + str(place)] = model.get_tensor(one["index"])
np.savez(sys.argv[1], **found)
"""
FEATURES = ("hour", "temperature", "flag", "number", "code")


@pytest.fixture(scope="module")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python with the old runtime."""
    uv = shutil.which("uv")
    if uv is None or sys.version_info >= (3, 12):
        pytest.skip("needs uv and Python 3.11: pip install uv")
    folder = tmp_path_factory.mktemp("old")
    python = folder / "bin" / "python"
    for command in (["venv", str(folder)], ["pip", "install", "--python", str(python), *OLD]):
        done = subprocess.run(
            [uv, "-q", *command, "--no-config"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"{' '.join(OLD)} cannot be installed: {done.stderr.strip()[-200:]}")
    return python


def coefficients(*shape: int) -> NDArray[np.float64]:
    return np.random.default_rng(sum(shape)).normal(0.0, 1.0, shape)


def everything(outputs: int, choice: int | None) -> g.Additive:
    hour, temperature = g.Spline(0, 0.0, 24.0, 12, True), g.Spline(1, -5.0, 35.0, 9)
    number = g.Intervals(3, (0.0, 1.0), specials=(0.5,), slopes=True)
    bases: tuple[tuple[g.Basis, ...], ...] = (
        (hour,),
        (temperature,),
        (hour, temperature),
        (hour, g.Line(2)),
        (number,),
        (g.Levels(4, 3),),
    )
    terms = tuple(
        g.Term(str(at), one, coefficients(int(np.prod([basis.size for basis in one])), outputs))
        for at, one in enumerate(bases)
    )
    return g.Additive(terms, coefficients(outputs), choice)


def remembering() -> g.Graph:
    """Every block that a state is carried on by."""
    state, first = g.State(), g.First(g.Filled(g.Features()))
    moved = g.Joined((g.Columns(state, (1, 2, 3)), g.Columns(first, (0,))))
    turned = g.Above(g.Columns(first, (1,)), 10.0)
    following = g.Sum((g.Product(turned, moved), state))
    picked = g.Picked(g.Stacked(following, 1), g.Columns(g.Features(), (4,)))
    shares = g.Quotient(g.OneHot(g.Columns(first, (4,)), 4), g.Constant((1.0, 2.0, 3.0, 4.0)))
    missing = g.Missing(g.Columns(g.Features(), (3,)))
    ahead = g.Following(g.Filtered(g.Joined((g.Constant((0.0,)), following)), coefficients(2)))
    output = g.Joined((picked, ahead, missing, g.Logistic(picked)))
    return g.Graph(
        features=FEATURES,
        output=output,
        outputs=("a", "b", "c", "d"),
        state=4,
        next_state=g.Sum((following, shares, g.Linear(following, np.eye(4), np.zeros(4)))),
    )


def graphs() -> dict[str, g.Graph]:
    chosen = g.Exponential(g.Clipped(everything(12, 4), -5.0, 5.0))
    top = g.Top(everything(12, None), 3)
    return {
        "one": g.Graph(features=FEATURES, output=everything(1, None), outputs=("y",)),
        "many": g.Graph(features=FEATURES, output=everything(12, None), outputs=("y",) * 12),
        "chosen": g.Graph(features=FEATURES, output=chosen, outputs=("y",)),
        "list": g.Graph(features=FEATURES, output=top, outputs=("y",) * 6),
        "state": remembering(),
    }


@pytest.mark.slow
def test_the_old_runtime_computes_the_same(old_python: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = np.column_stack(
        [
            random.uniform(0, 24, 4),
            random.uniform(-10, 40, 4),
            [0, 1, 1, 0],
            [0.5, np.nan, 0.2, 7.0],
            [0, 1, 2, 0],
        ]
    ).astype(np.float32)
    state = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)
    expected: dict[str, NDArray[np.float32]] = {}
    files = []
    for name, graph in graphs().items():
        for precision in PRECISIONS:
            path = tmp_path / f"{name}_{precision}.tflite"
            path.write_bytes(write_tflite(graph, precision).content)
            np.savez(f"{path}.npz", features=x, state=state)
            [session] = sessions(path.read_bytes())
            answer = session.run(x, state if graph.state else None)
            expected |= {f"{path}{at}": one for at, one in enumerate(answer) if one is not None}
            files.append(str(path))
    output = tmp_path / "found.npz"
    command = [str(old_python), "-c", PROGRAM, str(output), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(output) as found:
        assert set(found) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
