"""Tiny .tflite files for the tests, written with the schema's own classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

FLOAT32, INT32 = 0, 2  # TensorType of the schema


class Writer:
    """Collects tensors and operators of one subgraph, and writes the file."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1024)
        self.buffers: list[bytes] = [b""]
        self.tensors: list[int] = []
        self.operators: list[int] = []
        self.codes: list[tuple[int, int]] = []

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        values: NDArray[Any] | None = None,
        kind: int = FLOAT32,
        signature: Sequence[int] | None = None,
    ) -> int:
        build = self.builder
        buffer = 0
        if values is not None:
            buffer = len(self.buffers)
            self.buffers.append(values.tobytes())
        text = build.CreateString(name)
        size = build.CreateNumpyVector(np.array(shape, np.int32))
        dynamic = build.CreateNumpyVector(np.array(signature or shape, np.int32))
        tflite.TensorStart(build)
        tflite.TensorAddShape(build, size)
        tflite.TensorAddShapeSignature(build, dynamic)
        tflite.TensorAddType(build, kind)
        tflite.TensorAddBuffer(build, buffer)
        tflite.TensorAddName(build, text)
        self.tensors.append(tflite.TensorEnd(build))
        return len(self.tensors) - 1

    def operator(
        self, code: int, inputs: Sequence[int], outputs: Sequence[int], options: tuple[int, int]
    ) -> None:
        build = self.builder
        self.codes.append((code, 1))
        reads = build.CreateNumpyVector(np.array(inputs, np.int32))
        writes = build.CreateNumpyVector(np.array(outputs, np.int32))
        tflite.OperatorStart(build)
        tflite.OperatorAddOpcodeIndex(build, len(self.codes) - 1)
        tflite.OperatorAddInputs(build, reads)
        tflite.OperatorAddOutputs(build, writes)
        if options[0]:
            tflite.OperatorAddBuiltinOptionsType(build, options[0])
            tflite.OperatorAddBuiltinOptions(build, options[1])
        self.operators.append(tflite.OperatorEnd(build))

    def file(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        build = self.builder
        tensors, operators = self._offsets(self.tensors), self._offsets(self.operators)
        reads = build.CreateNumpyVector(np.array(inputs, np.int32))
        writes = build.CreateNumpyVector(np.array(outputs, np.int32))
        tflite.SubGraphStart(build)
        tflite.SubGraphAddTensors(build, tensors)
        tflite.SubGraphAddInputs(build, reads)
        tflite.SubGraphAddOutputs(build, writes)
        tflite.SubGraphAddOperators(build, operators)
        subgraphs = self._offsets([tflite.SubGraphEnd(build)])
        buffers = self._offsets([self._buffer(content) for content in self.buffers])
        codes = self._offsets([self._code(*code) for code in self.codes])
        tflite.ModelStart(build)
        tflite.ModelAddVersion(build, 3)
        tflite.ModelAddOperatorCodes(build, codes)
        tflite.ModelAddSubgraphs(build, subgraphs)
        tflite.ModelAddBuffers(build, buffers)
        build.Finish(tflite.ModelEnd(build), file_identifier=b"TFL3")
        return bytes(build.Output())

    def _offsets(self, parts: list[int]) -> int:
        self.builder.StartVector(4, len(parts), 4)
        for part in reversed(parts):
            self.builder.PrependUOffsetTRelative(part)
        return int(self.builder.EndVector())

    def _buffer(self, content: bytes) -> int:
        data = self.builder.CreateByteVector(content) if content else None
        tflite.BufferStart(self.builder)
        if data is not None:
            tflite.BufferAddData(self.builder, data)
        return int(tflite.BufferEnd(self.builder))

    def _code(self, code: int, version: int) -> int:
        tflite.OperatorCodeStart(self.builder)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(self.builder, code)
        tflite.OperatorCodeAddBuiltinCode(self.builder, code)
        tflite.OperatorCodeAddVersion(self.builder, version)
        return int(tflite.OperatorCodeEnd(self.builder))


def linear(
    weights: Sequence[Sequence[float]],
    bias: Sequence[float],
    padding: NDArray[np.float32] | None = None,
) -> bytes:
    """`output = features · weightsᵀ + bias`: weights are (m, n), bias (m,); and unused numbers."""
    W, b = np.array(weights, np.float32), np.array(bias, np.float32)
    write = Writer()
    if padding is not None:
        write.buffers.append(padding.tobytes())
    features = write.tensor("features", (1, W.shape[1]), signature=(-1, W.shape[1]))
    weight, offset = write.tensor("weights", W.shape, W), write.tensor("bias", b.shape, b)
    output = write.tensor("output", (1, W.shape[0]), signature=(-1, W.shape[0]))
    tflite.FullyConnectedOptionsStart(write.builder)
    options = tflite.FullyConnectedOptionsEnd(write.builder)
    write.operator(
        tflite.BuiltinOperator.FULLY_CONNECTED,
        (features, weight, offset),
        (output,),
        (tflite.BuiltinOptions.FullyConnectedOptions, options),
    )
    return write.file((features,), (output,))


def killer() -> bytes:
    """A valid file of which every condition is the whole again: the runtime overflows its stack."""
    write = Writer()
    features = write.tensor("features", (1, 1), signature=(-1, 1))
    condition = write.tensor("condition", (1,), np.array([True]), kind=tflite.TensorType.BOOL)
    output = write.tensor("output", (1, 1), signature=(-1, 1))
    tflite.IfOptionsStart(write.builder)
    tflite.IfOptionsAddThenSubgraphIndex(write.builder, 0)
    tflite.IfOptionsAddElseSubgraphIndex(write.builder, 0)
    options = tflite.IfOptionsEnd(write.builder)
    write.operator(
        tflite.BuiltinOperator.IF,
        (condition, features),
        (output,),
        (tflite.BuiltinOptions.IfOptions, options),
    )
    return write.file((features,), (output,))


def counting() -> bytes:
    """A model with a state: `output = next_state = features + state`, of one column."""
    write = Writer()
    features = write.tensor("features", (1, 1))
    state = write.tensor("state", (1, 1))
    output = write.tensor("output", (1, 1))
    following = write.tensor("next_state", (1, 1))
    for result in (output, following):
        tflite.AddOptionsStart(write.builder)
        options = tflite.AddOptionsEnd(write.builder)
        write.operator(
            tflite.BuiltinOperator.ADD,
            (features, state),
            (result,),
            (tflite.BuiltinOptions.AddOptions, options),
        )
    return write.file((features, state), (output, following))
