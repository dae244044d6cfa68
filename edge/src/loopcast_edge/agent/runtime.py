"""The TFLite runtime: the one module that knows which is installed.

LiteRT and tflite-runtime have the same interpreter by different names. A runtime counts as
installed if it computes one plus one: tflite-runtime was built against NumPy 1, and beside another
one it may be imported without complaint and fail at the first model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from loopcast_edge.agent.errors import ModelError

RUNTIMES = (
    ("ai-edge-litert", "ai_edge_litert"),
    ("tflite-runtime", "tflite_runtime"),
)
PROBE = Path(__file__).with_name("probe.tflite")  # output = features + 1, of one column

Floats = NDArray[np.float32]


class Runtime(NamedTuple):
    """An installed runtime: its distribution and version, and what makes an interpreter."""

    name: str
    version: str
    interpreter: Callable[[bytes], Any]


@lru_cache(maxsize=1)
def runtime() -> Runtime:
    """Return the runtime that works on this device.

    Raises
    ------
    ModelError
        If none does; the message says why each failed.
    """
    failures = []
    for name, package in RUNTIMES:
        try:
            interpreter = import_module(f"{package}.interpreter")
            version = import_module(package).__version__
            found = Runtime(name, version, _maker(interpreter))
            answer, _ = Model(PROBE.read_bytes(), found).predict(np.ones((1, 1), np.float32))
        except Exception as error:  # whatever a broken installation raises
            failures.append(f"{name}: {error}")
            continue
        if answer.tolist() == [[2.0]]:
            return found
        failures.append(f"{name}: 1 + 1 is {answer.tolist()}")
    raise ModelError(
        "no TFLite runtime works here; install loopcast-edge[litert], or loopcast-edge[tflite] "
        f"with NumPy 1 ({'; '.join(failures)})"
    )


def _maker(module: Any) -> Callable[[bytes], Any]:
    """Make interpreters of one thread, without XNNPACK, which takes 65 KB more for each."""
    plain = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES

    def make(content: bytes) -> Any:
        return module.Interpreter(
            model_content=content, num_threads=1, experimental_op_resolver_type=plain
        )

    return make


class Model:
    """A model file, loaded: `features` and perhaps a `state` in, `output` and perhaps a state out.

    Parameters
    ----------
    content
        The .tflite file: input 0 is float32 ``(rows, n)``, input 1, if any, float32 ``(1, k)``;
        output 0 is float32 ``(rows, m)``, output 1, if any, as input 1.
    using
        The runtime; by default the one that works here.

    Raises
    ------
    ModelError
        If the file is no model, or does not keep to this convention.
    """

    def __init__(self, content: bytes, using: Optional[Runtime] = None) -> None:
        make = (using or runtime()).interpreter
        try:
            self._interpreter = make(content)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"the file is no model that this runtime can load: {error}") from error
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        _check("input", inputs)
        _check("output", outputs)
        self._inputs = [int(detail["index"]) for detail in inputs]
        self._outputs = [int(detail["index"]) for detail in outputs]
        self.width = int(inputs[0]["shape"][1])
        self.state_width = int(inputs[1]["shape"][1]) if len(inputs) > 1 else 0
        self._rows = int(inputs[0]["shape"][0])

    def predict(
        self, features: Floats, state: Optional[Floats] = None
    ) -> tuple[Floats, Optional[Floats]]:
        """Compute the output of each row.

        Parameters
        ----------
        features
            Shape ``(rows, n)``, in the recipe's order.
        state
            Shape ``(1, k)``, for a model that has one; zeros by default.

        Returns
        -------
        tuple
            The output, shape ``(rows, m)``, and the next state, shape ``(1, k)`` or None.

        Raises
        ------
        ModelError
            If shapes do not fit, or the interpreter fails on these values.
        """
        if features.ndim != 2 or features.shape[1] != self.width:
            raise ModelError(f"features of shape {features.shape}; the model reads {self.width}")
        run = self._interpreter
        try:
            if len(features) != self._rows:
                run.resize_tensor_input(self._inputs[0], features.shape)
                run.allocate_tensors()
                self._rows = len(features)
            run.set_tensor(self._inputs[0], features)
            if self.state_width:
                run.set_tensor(self._inputs[1], self._state(state))
            run.invoke()
            results = [run.get_tensor(index) for index in self._outputs]
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"the model fails on rows of shape {features.shape}: {error}"
            ) from error
        return results[0], results[1] if len(results) > 1 else None

    def _state(self, state: Optional[Floats]) -> Floats:
        return np.zeros((1, self.state_width), np.float32) if state is None else state


def _check(role: str, details: list[dict[str, Any]]) -> None:
    """Check one side of a model against the convention."""
    if not 1 <= len(details) <= 2:
        raise ModelError(f"a model has one or two {role}s, and this one {len(details)}")
    for detail in details:
        if detail["dtype"] is not np.float32 or len(detail["shape"]) != 2:
            shape = tuple(map(int, detail["shape"]))
            raise ModelError(
                f"{role} {detail['name']!r} is {np.dtype(detail['dtype']).name} of shape {shape}; "
                "it has to be float32 of two dimensions"
            )
