"""What a fleet learns is what all rows at one place would have said."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from loopcast.api import DataError
from loopcast.iterate.federated import learn
from loopcast_edge.wire import Correction, Update, decode, encode, statistics, week_inputs

NOON = 1_767_268_800_000
HOUR = 3_600_000
CORRECTION = Correction(zone="Europe/Paris", clip=50.0)
TRUE = np.array([1.5, -2.0, 0.5, 0.3, 0.0, 0.8, 0.0])

Rows = tuple[list[int], NDArray[np.float64]]


def rows(seed: int, count: int, *, true: NDArray[np.float64] = TRUE, noise: float = 1.0) -> Rows:
    random = np.random.default_rng(seed)
    moments = [NOON + int(hour) * HOUR for hour in random.integers(0, 2000, count)]
    residuals = week_inputs(CORRECTION, moments) @ true + random.normal(0, noise, count)
    return moments, residuals


def update(found: Rows, correction: Correction = CORRECTION, sequence: int = 1) -> Update:
    """What a device sends of rows, after it went over the wire."""
    sums = statistics(correction, found[0], found[1].tolist())
    message = Update(
        outbox="0" * 16,
        sequence=sequence,
        logical_model="demand",
        segment="",
        version="0" * 16,
        zone=correction.zone,
        clip=correction.clip,
        inputs=correction.inputs,
        n=sums.n,
        gram=sums.triangle,
        cross=tuple(sums.cross.tolist()),
        squares=sums.squares,
    )
    return decode(encode(message), Update)


def fleet(devices: int, count: int = 200) -> dict[str, Rows]:
    return {f"d{n}": rows(n, count) for n in range(devices)}


def pooled(of: dict[str, Rows]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = np.concatenate([week_inputs(CORRECTION, moments) for moments, _ in of.values()])
    return x, np.concatenate([residuals for _, residuals in of.values()])


def test_the_fit_is_that_of_all_rows_at_one_place() -> None:
    devices = fleet(5)
    told = {device: [update(found)] for device, found in devices.items()}
    learned = learn(told, CORRECTION, ridge=0.0)
    x, r = pooled(devices)
    expected, left, *_ = np.linalg.lstsq(x, r, rcond=None)
    np.testing.assert_allclose(learned.correction.coef, expected, rtol=1e-9)
    assert learned.explained == pytest.approx(1 - left[0] / (r @ r), rel=1e-9)
    assert (learned.devices, learned.rows, learned.refused) == (5, 1000, {})
    np.testing.assert_allclose(learned.correction.coef, TRUE, atol=0.3)


def test_a_ridge_is_that_of_rows_added_to_the_data() -> None:
    devices = fleet(4)
    x, r = pooled(devices)
    held = np.sqrt(0.1 * len(x)) * np.eye(x.shape[1])
    expected, *_ = np.linalg.lstsq(
        np.concatenate([x, held]), np.concatenate([r, np.zeros(len(held))]), rcond=None
    )
    told = {device: [update(found)] for device, found in devices.items()}
    np.testing.assert_allclose(learn(told, CORRECTION, ridge=0.1).correction.coef, expected)


def test_the_gain_is_that_of_leaving_each_device_out() -> None:
    devices = fleet(6, count=40)
    before = after = 0.0
    for left_out, (moments, residuals) in devices.items():
        others = {device: found for device, found in devices.items() if device != left_out}
        coef, *_ = np.linalg.lstsq(*pooled(others), rcond=None)
        before += float(residuals @ residuals)
        after += float(np.sum((residuals - week_inputs(CORRECTION, moments) @ coef) ** 2))
    told = {device: [update(found)] for device, found in devices.items()}
    learned = learn(told, CORRECTION, ridge=0.0)
    assert learned.gain == pytest.approx(1 - after / before, rel=1e-9)
    assert learned.gain < learned.explained


def test_of_pure_noise_nothing_is_gained() -> None:
    told = {f"d{n}": [update(rows(n, 60, true=np.zeros(7)))] for n in range(10)}
    learned = learn(told, CORRECTION)
    assert learned.explained > 0
    assert learned.gain < 0.01


def test_what_a_device_sends_day_by_day_adds_up() -> None:
    devices = fleet(3)
    days = {
        device: [
            update((moments[:70], residuals[:70]), sequence=1),
            update((moments[70:], residuals[70:]), sequence=2),
        ]
        for device, (moments, residuals) in devices.items()
    }
    whole = {device: [update(found)] for device, found in devices.items()}
    one, two = learn(days, CORRECTION), learn(whole, CORRECTION)
    np.testing.assert_allclose(one.correction.coef, two.correction.coef)


def test_no_device_outvotes_the_fleet() -> None:
    told = {device: [update(found)] for device, found in fleet(9).items()}
    told["loud"] = [update(rows(99, 20_000, true=TRUE + 10.0))]
    loud = learn(told, CORRECTION, most_rows=200)
    assert abs(loud.correction.coef[0] - TRUE[0]) < 1.5
    assert learn(told, CORRECTION, most_rows=10**6).correction.coef[0] > 9.0


def test_what_cannot_be_is_refused() -> None:
    told = {device: [update(found)] for device, found in fleet(4).items()}
    honest = learn(told, CORRECTION)
    good = told["d0"][0]
    liars = {
        "bent": replace(good, cross=(1e6, *good.cross[1:])),
        "heavy": replace(good, gram=(good.n, 5.0 * good.n, *good.gram[2:])),
        "hollow": replace(good, n=good.n * 10),
        "beyond": replace(good, squares=1e9),
        "doubtful": replace(good, squares=0.0),
        "elsewhere": replace(good, zone="UTC"),
        "unbounded": replace(good, clip=60.0),
    }
    learned = learn(told | {name: [each] for name, each in liars.items()}, CORRECTION)
    assert learned.refused.keys() == liars.keys()
    assert learned.refused["bent"] == learned.refused["hollow"] == "no rows have such sums"
    for other in ("elsewhere", "unbounded"):
        assert learned.refused[other] == "it learned with other inputs, or with another clip"
    assert learned.correction == honest.correction


def test_what_was_learned_with_other_settings_before_does_no_harm() -> None:
    told = {device: [update(found)] for device, found in fleet(4).items()}
    before = replace(CORRECTION, clip=1.0)
    both = {
        device: [update(found, before), update(found, sequence=2)]
        for device, found in fleet(4).items()
    }
    assert learn(both, CORRECTION) == learn(told, CORRECTION)


def test_two_devices_are_no_fleet() -> None:
    told = {device: [update(found)] for device, found in fleet(3).items()}
    told["d0"] = [replace(told["d0"][0], squares=1e9)]
    with pytest.raises(DataError, match=r"2 devices sent .* 3 are needed; d0: no rows have"):
        learn(told, CORRECTION)
