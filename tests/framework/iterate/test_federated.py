"""What a fleet learns is what all rows at one place would have said."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from loopcast.api import DataError
from loopcast.iterate.federated import RIDGE, learn
from loopcast_edge.wire import Correction, Update, decode, encode, statistics, unpacked, week_inputs

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
    shares = []
    for left_out, (moments, residuals) in devices.items():
        others = {device: found for device, found in devices.items() if device != left_out}
        coef, *_ = np.linalg.lstsq(*pooled(others), rcond=None)
        before += float(residuals @ residuals)
        left = float(np.sum((residuals - week_inputs(CORRECTION, moments) @ coef) ** 2))
        after += left
        shares.append(1 - left / float(residuals @ residuals))
    told = {device: [update(found)] for device, found in devices.items()}
    learned = learn(told, CORRECTION, ridge=0.0)
    assert learned.median_gain == pytest.approx(np.median(shares), rel=1e-9)
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


def trusting(told: dict[str, list[Update]], most_rows: int = 5_000) -> NDArray[np.float64]:
    """What all devices' sums say, none counting for more rows than so many."""
    gram, cross, n = np.zeros((7, 7)), np.zeros(7), 0.0
    for [each] in told.values():
        sums = unpacked(each.n, each.gram, each.cross, each.squares)
        share = min(1.0, most_rows / each.n)
        gram, cross = gram + share * sums.gram, cross + share * sums.cross
        n += share * each.n
    return np.asarray(np.linalg.solve(gram + RIDGE * n * np.eye(7), cross))


def lie(seed: int, count: int, against: NDArray[np.float64]) -> Update:
    """The largest residuals that pass, all the way in one direction."""
    moments, _ = rows(seed, count)
    sides = np.where(week_inputs(CORRECTION, moments) @ against < 0, -1.0, 1.0)
    return update((moments, CORRECTION.clip * sides))


def test_where_devices_are_alike_nothing_is_changed() -> None:
    told = {device: [update(found)] for device, found in fleet(12).items()}
    learned = learn(told, CORRECTION)
    assert learned.refused == {}
    np.testing.assert_array_equal(learned.correction.coef, trusting(told))


@pytest.mark.parametrize("against", [np.eye(7)[0], np.eye(7)[3], -TRUE], ids=["one", "day", "all"])
@pytest.mark.parametrize(("liars", "of"), [(1, 4), (1, 5), (2, 5), (2, 10), (4, 10)])
def test_liars_are_named_and_bend_nothing(
    liars: int, of: int, against: NDArray[np.float64]
) -> None:
    """Devices of a hundred rows, and liars that claim fifty times as many."""
    honest = {device: [update(found)] for device, found in fleet(of - liars, count=100).items()}
    lying = {f"liar{n}": [lie(90 + n, 5_000, against)] for n in range(liars)}
    learned = learn(honest | lying, CORRECTION)
    assert learned.refused.keys() == lying.keys()
    assert "pull" in learned.refused["liar0"]
    honestly = trusting(honest)
    bent = np.linalg.norm(trusting(honest | lying) - honestly)
    assert bent > 10.0
    assert np.linalg.norm(np.array(learned.correction.coef) - honestly) < 1e-12 * bent


@pytest.mark.parametrize("size", [0.5, 1.0, 2.0, 4.0, 8.0])
def test_a_lie_that_is_small_enough_to_stay_bends_little(size: float) -> None:
    """It counts for three devices of twelve, and not for fifty of fifty-nine."""
    honest = {device: [update(found)] for device, found in fleet(9, count=100).items()}
    told = honest | {"liar": [update(rows(99, 20_000, true=TRUE + size * np.eye(7)[0]))]}
    learned = learn(told, CORRECTION)
    bent = np.linalg.norm(np.array(learned.correction.coef) - trusting(honest))
    assert bent < 0.35 * np.linalg.norm(trusting(told) - trusting(honest))
    assert bent < 0.5
    assert learned.refused.keys() <= {"liar"}


def test_devices_that_honestly_differ_in_size_are_all_learned_from() -> None:
    sizes = (10, 12, 30, 100, 300, 1000, 3000, 5000)
    told = {f"d{n}": [update(rows(n, n))] for n in sizes}
    learned = learn(told, CORRECTION)
    assert (learned.devices, learned.refused) == (8, {})
    assert learned.rows == 10 + 12 + 30 + 100 + 300 + 3 * 600, "600: thrice the median"
    np.testing.assert_allclose(learned.correction.coef, TRUE, atol=0.1)
    for each in told:
        without = {device: sums for device, sums in told.items() if device != each}
        assert learn(without, CORRECTION).correction != learned.correction


@pytest.mark.parametrize("spread", [0.5, 5.0])
def test_devices_that_honestly_differ_in_what_they_say_are_all_learned_from(spread: float) -> None:
    random = np.random.default_rng(3)
    for seed in range(0, 200, 10):
        told = {
            f"d{n}": [update(rows(n, 200, true=TRUE + random.normal(0, spread, 7)))]
            for n in range(seed, seed + 10)
        }
        assert learn(told, CORRECTION).refused == {}


@pytest.mark.parametrize("ridge", [0.0, RIDGE])
@pytest.mark.parametrize("true", [np.zeros(7), TRUE], ids=["right", "wrong by rule"])
def test_models_without_noise_are_all_learned_from(true: NDArray[np.float64], ridge: float) -> None:
    told = {f"d{n}": [update(rows(n, 50 + n, true=true, noise=0.0))] for n in range(6)}
    learned = learn(told, CORRECTION, ridge=ridge)
    assert learned.refused == {}
    np.testing.assert_allclose(learned.correction.coef, true, atol=0.02)
    assert learned.median_gain == pytest.approx(float(true.any()), abs=1e-3)


def test_of_three_a_liar_is_not_told_but_its_correction_is_no_gain() -> None:
    told = {device: [update(found)] for device, found in fleet(2, count=100).items()}
    learned = learn(told | {"liar": [lie(99, 5_000, np.eye(7)[0])]}, CORRECTION)
    assert learned.refused == {}
    assert learned.median_gain < 0.0


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


def test_devices_of_fewer_rows_than_inputs_need_no_ridge() -> None:
    told = {device: [update(found)] for device, found in fleet(40, count=3).items()}
    assert learn(told, CORRECTION, ridge=0.0).devices == 40


def test_two_devices_are_no_fleet() -> None:
    told = {device: [update(found)] for device, found in fleet(3).items()}
    told["d0"] = [replace(told["d0"][0], squares=1e9)]
    with pytest.raises(DataError, match=r"2 devices sent .* 3 are needed; d0: no rows have"):
        learn(told, CORRECTION)
