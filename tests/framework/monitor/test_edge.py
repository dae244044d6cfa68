"""A device counts in the bins of the version's reference as the centre does."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa

from loopcast.monitor.bins import MISSING, OTHER
from loopcast.monitor.edge import drift_reference
from loopcast.monitor.reference import fit_reference
from loopcast.monitor.sketch import HIGHEST, LOWEST, SQUARES, SUM, sketch
from loopcast_edge.wire import DriftReference, empty_sketch, unpack_sketch


def test_counts_of_a_device_are_those_of_the_centre() -> None:
    generator = np.random.default_rng(3)
    trained = {
        "load": generator.normal(100.0, 20.0, 5000),
        "zero": np.where(generator.random(5000) < 0.7, 0.0, generator.random(5000)),
        "town": pa.array(generator.choice(["a", "b", "c"], 5000)),
    }
    reference = fit_reference(trained, {"mean": generator.normal(100.0, 20.0, 5000)})
    seen = {
        "load": np.array([*generator.normal(110.0, 30.0, 300), np.nan, -1e9, 1e9]),
        "zero": np.zeros(303),
        "town": pa.array([*generator.choice(["a", "d"], 302), None]),
        "output.mean": generator.normal(90.0, 20.0, 303),
    }
    ours, wire = sketch(seen, reference.bins), drift_reference(reference)
    device = empty_sketch(wire)
    device.add({name: values.tolist() if isinstance(values, np.ndarray) else values.to_pylist()
                for name, values in seen.items()})  # fmt: skip
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(wire), type=DriftReference) == wire
    theirs = unpack_sketch(wire, device.packed_counts, device.packed_moments)
    for place, (column, counts) in enumerate(zip(wire.columns, theirs.counts, strict=True)):
        known = ours.counts[0, place]
        if column.kind == "category":
            listed = [*known[: len(column.known)], known[OTHER], known[MISSING]]
        else:
            listed = [*known[: column.bins - 1], known[MISSING]]
        assert counts.tolist() == listed, column.name
    for kind in (SUM, SQUARES, LOWEST, HIGHEST):
        np.testing.assert_allclose(theirs.moments[:, kind], ours.moments[0, :, kind], rtol=1e-6)
