"""The TFLite runtimes that are installed, and what a file answers in each of them.

Files are run as the agent on a device runs them: by one thread, and without XNNPACK.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ConfigurationError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

RUNTIMES = {"LiteRT": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
"""Module of each runtime."""


@dataclass(frozen=True, eq=False)
class Session:
    """A file in a runtime.

    Attributes
    ----------
    runtime
        Its name.
    """

    runtime: str
    interpreter: Any

    def run(self, features: Floats, state: Floats | None = None) -> tuple[Floats, Floats | None]:
        """Return the output for rows, shape (rows, m), and the next state if there is one.

        Raises
        ------
        ModelError
            Where the runtime refuses the rows.
        """
        inputs = self.interpreter.get_input_details()
        try:
            self.interpreter.resize_tensor_input(inputs[0]["index"], features.shape)
            self.interpreter.allocate_tensors()
            for detail, values in zip(inputs, (features, state), strict=False):
                self.interpreter.set_tensor(detail["index"], values)
            self.interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.runtime} cannot run the model: {error}") from error
        found = [
            self.interpreter.get_tensor(o["index"]) for o in self.interpreter.get_output_details()
        ]
        return found[0], found[1] if len(found) > 1 else None

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns of the inputs."""
        return tuple(int(one["shape"][-1]) for one in self.interpreter.get_input_details())


def sessions(content: bytes) -> Iterator[Session]:
    """Load a file into every runtime that is installed.

    Raises
    ------
    ConfigurationError
        Where there is none.
    ModelError
        Where one refuses the file.
    """
    known = 0
    for name, module in RUNTIMES.items():
        try:
            runtime = import_module(module)
        except ModuleNotFoundError:
            continue
        known += 1
        yield Session(name, _opened(name, runtime, content))
    if not known:
        raise ConfigurationError(
            "a .tflite file is compared with its model by LiteRT, which is not installed: pip "
            "install 'loopcast[edge]'"
        )


def _opened(name: str, runtime: Any, content: bytes) -> Any:
    plain = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        opened = runtime.Interpreter(
            model_content=content, num_threads=1, experimental_op_resolver_type=plain
        )
        opened.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{name} refuses the file: {error}") from error
    return opened
