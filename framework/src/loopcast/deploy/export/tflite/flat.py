"""A small writer of TFLite's flatbuffers: tensors, operators that are built in, one subgraph.

Source: the schema of TensorFlow Lite, version 3, as the package ``tflite`` has it. Operators carry
the lowest version that means what is written, so that old runtimes read them rightly or refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA, IDENTIFIER, ALIGNMENT = 3, b"TFL3", 16
OLD_CODES = 127  # codes beyond are not in the field that the oldest runtimes read
OPTIONS = {
    "ADD": "AddOptions",
    "CAST": "CastOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MUL": "MulOptions",
    "SHAPE": "ShapeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
}
"""Tables of those operators that have options; the others are written without."""

SHAPELESS = {"SELECT_V2"}
"""Operators whose output of one element LiteRT leaves in the shape that the file says."""


def library() -> Any:
    """Return the package tflite.

    Raises
    ------
    ConfigurationError
        Where it is not installed.
    """
    try:
        import tflite
    except ModuleNotFoundError:
        raise ConfigurationError(
            "a .tflite file is written by the package tflite, which is not installed: pip install "
            "'loopcast[edge]'"
        ) from None
    return tflite


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the file.

    Attributes
    ----------
    dtype
        Of its numbers.
    shape
        Empty for what an operator computes, whose shape runtimes find out; -1 for the rows.
    buffer
        Place of its bytes among the constants, 0 where it has none.
    scales : ndarray or None
        Of numbers that are stored as integers, one or one for each row of a matrix.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()
    buffer: int = 0
    name: str = ""
    scales: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Operator:
    """An operator of the file; every one has its outputs to itself."""

    kind: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: tuple[tuple[str, float], ...]


@dataclass(eq=False)
class FlatModel:
    """A model as it is written."""

    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    buffers: list[bytes] = field(default_factory=lambda: [b""])
    constants: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def input(self, name: str, shape: tuple[int, ...]) -> int:
        """Add an input of float32 and return its place."""
        return self._tensor(Tensor(np.dtype(np.float32), shape, name=name))

    def constant(self, values: NDArray[Any], scales: NDArray[np.float32] | None = None) -> int:
        """Return the place of a constant, which equal ones share."""
        key = (
            values.tobytes(),
            values.dtype.str,
            values.shape,
            b"" if scales is None else scales.tobytes(),
        )
        if key not in self.constants:
            self.buffers.append(values.tobytes())
            place = len(self.buffers) - 1
            self.constants[key] = self._tensor(
                Tensor(values.dtype, values.shape, place, scales=scales)
            )
        return self.constants[key]

    def add(
        self,
        kind: str,
        *inputs: int,
        version: int = 1,
        dtype: Any = np.float32,
        **options: float,
    ) -> int:
        """Add an operator with one output and return the output's place."""
        [output] = self.several(kind, *inputs, version=version, dtypes=(dtype,), **options)
        if kind in SHAPELESS:
            self.tensors[output] = Tensor(np.dtype(dtype), (1, 1))
        return output

    def several(
        self, kind: str, *inputs: int, version: int, dtypes: Sequence[Any], **options: float
    ) -> tuple[int, ...]:
        """Add an operator and return the places of its outputs."""
        outputs = tuple(self._tensor(Tensor(np.dtype(dtype))) for dtype in dtypes)
        self.operators.append(Operator(kind, version, inputs, outputs, tuple(options.items())))
        return outputs

    def call(self, place: int, name: str, shape: tuple[int, ...]) -> None:
        """Name an output of the model, and say its shape."""
        self.tensors[place] = Tensor(self.tensors[place].dtype, shape, name=name)

    def _tensor(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def content(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """Return the file."""
        return _Serialiser(library()).model(self, inputs, outputs)


class _Serialiser:
    """Writes the tables of a file, the innermost first, as flatbuffers want it."""

    def __init__(self, schema: Any) -> None:
        import flatbuffers

        self.schema = schema
        self.to = flatbuffers.Builder(4096)
        self.vectors: dict[tuple[int, ...], int] = {}

    def model(self, flat: FlatModel, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        kinds = list(dict.fromkeys((one.kind, one.version) for one in flat.operators))
        buffers = self._tables([self._buffer(data) for data in flat.buffers])
        subgraph = self._table(
            "SubGraph",
            Tensors=self._tables([self._tensor(one) for one in flat.tensors]),
            Inputs=self._ints(inputs),
            Outputs=self._ints(outputs),
            Operators=self._tables([self._operator(one, kinds) for one in flat.operators]),
        )
        root = self._table(
            "Model",
            Version=SCHEMA,
            OperatorCodes=self._tables([self._code(*kind) for kind in kinds]),
            Subgraphs=self._tables([subgraph]),
            Buffers=buffers,
        )
        self.to.Finish(root, file_identifier=IDENTIFIER)
        return bytes(self.to.Output())

    def _buffer(self, data: bytes) -> int:
        if not data:
            return self._table("Buffer")
        self.to.StartVector(1, len(data), ALIGNMENT)
        self.to.head -= len(data)
        self.to.Bytes[self.to.Head() : self.to.Head() + len(data)] = data
        return self._table("Buffer", Data=self.to.EndVector())

    def _tensor(self, one: Tensor) -> int:
        fields = {"Type": self._type(one.dtype), "Buffer": one.buffer}
        if one.name:
            fields["Name"] = self.to.CreateString(one.name)
        if one.shape:
            fields["Shape"] = self._ints([abs(size) for size in one.shape])
        if min(one.shape, default=0) < 0:
            fields["ShapeSignature"] = self._ints(one.shape)
        if one.scales is not None:
            fields["Quantization"] = self._table(
                "QuantizationParameters",
                Scale=self.to.CreateNumpyVector(one.scales),
                ZeroPoint=self.to.CreateNumpyVector(np.zeros(len(one.scales), np.int64)),
            )
        return self._table("Tensor", **fields)

    def _type(self, dtype: np.dtype[Any]) -> int:
        code: int = getattr(self.schema.TensorType, dtype.name.upper())
        return code

    def _operator(self, one: Operator, kinds: Sequence[tuple[str, int]]) -> int:
        fields = {
            "OpcodeIndex": kinds.index((one.kind, one.version)),
            "Inputs": self._ints(one.inputs),
            "Outputs": self._ints(one.outputs),
        }
        if one.kind in OPTIONS:
            table = OPTIONS[one.kind]
            fields["BuiltinOptions"] = self._table(table, **dict(one.options))
            fields["BuiltinOptionsType"] = getattr(self.schema.BuiltinOptions, table)
        return self._table("Operator", **fields)

    def _code(self, kind: str, version: int) -> int:
        code = getattr(self.schema.BuiltinOperator, kind)
        return self._table(
            "OperatorCode",
            DeprecatedBuiltinCode=min(code, OLD_CODES),
            BuiltinCode=code,
            Version=version,
        )

    def _table(self, name: str, **fields: float) -> int:
        self._of(name, "Start")(self.to)
        for field_name, value in fields.items():
            self._of(name, f"Add{field_name}")(self.to, value)
        place: int = self._of(name, "End")(self.to)
        return place

    def _of(self, name: str, action: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(self.schema, f"{name}{action}")
        return found

    def _tables(self, places: Sequence[int]) -> int:
        self.to.StartVector(4, len(places), 4)
        for place in reversed(places):
            self.to.PrependUOffsetTRelative(place)
        vector: int = self.to.EndVector()
        return vector

    def _ints(self, values: Sequence[int]) -> int:
        """Return a vector, which all tables of equal ones share."""
        key = tuple(values)
        if key not in self.vectors:
            self.vectors[key] = self.to.CreateNumpyVector(np.array(key, np.int32))
        return self.vectors[key]
