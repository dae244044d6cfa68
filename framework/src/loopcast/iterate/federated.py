"""What a fleet learns together: a correction of a model's residuals, from sums and no data.

Least squares of r on x need G = Σ x xᵀ and c = Σ x r over all rows, which are sums over devices. So
what the centre solves,

    (G + λ n I) β = c,

is what it would have solved with all rows at hand. From the same sums follows how much the
correction of all *other* devices would have helped each: it is judged by that, since a device that
learned nothing could still be fitted.

A device may send what is possible and not true. None counts for more than some times the rows of
the median device, and one whose rows pull far from where the others' do is left out. At the
coordinate-wise median m of the devices' own solutions, the rows of device d pull by the gradient

    g = (c − G m) / n,

which holds for few rows too, where their own solution says little. Its distance from the
coordinate-wise median of all is measured by the median distance, and by the chance of its own n.

Source: for sums instead of rows, C. Chu et al., Map-Reduce for Machine Learning on Multicore,
NIPS 19 (2006); for ridge regression, A. E. Hoerl and R. W. Kennard, Technometrics 12 (1970); for
medians of gradients, D. Yin et al., Byzantine-Robust Distributed Learning, ICML (2018), definition
1; for the median of distances as a scale, P. J. Rousseeuw and C. Croux, Alternatives to the Median
Absolute Deviation, JASA 88 (1993), section 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from loopcast.api import DataError, DeviceName, Package, place_name
from loopcast.fleet.packages import LIFE, Contents, make_package
from loopcast_edge.wire import Correction, Manifest, Signed, Statistics, Update, decode, unpacked

if TYPE_CHECKING:
    from loopcast.fleet.keyring import Keyring
    from loopcast.store.home import Home

Floats = NDArray[np.float64]

RIDGE = 1e-3
MOST_TIMES = 3.0
FAR = 6.0  # of 4 honest devices that differ normally in 3 inputs, one in 500 rounds leaves one out
FEWEST_DEVICES = 3
FEWEST_COMPARED = 4
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A correction, and what it is worth.

    Attributes
    ----------
    devices, rows
        That it was learned from; rows of a device that has many count as fewer.
    refused
        Why what some devices sent was left out.
    explained
        Share of the squared residuals that it takes away, on the rows that it was learned from.
    gain
        The same for each device by what all others learned, taken together: what to expect of a
        device that is new. Below 0 it does harm.
    median_gain
        The gain of the median device, each by its own squared residuals: what a few devices with
        large ones cannot raise.
    """

    correction: Correction
    devices: int
    rows: int
    refused: Mapping[DeviceName, str]
    explained: float
    gain: float
    median_gain: float


def learn(
    told: Mapping[DeviceName, Sequence[Update]],
    correction: Correction,
    *,
    ridge: float = RIDGE,
) -> Learned:
    """Solve for the correction of a fleet.

    Parameters
    ----------
    told
        What each device sent of one version.
    correction
        What was to be learned.
    ridge
        λ, which holds β down where rows say nothing.

    Raises
    ------
    DataError
        When fewer than three devices sent what can be used.
    """
    usable, refused = _usable(told, correction)
    apart = _apart(usable)
    sums = _bounded([each for device, each in usable.items() if device not in apart])
    refused |= apart
    if len(sums) < FEWEST_DEVICES:
        reasons = "".join(f"; {device}: {reason}" for device, reason in refused.items())
        raise DataError(
            f"{len(sums)} devices sent what can be learned from, and {FEWEST_DEVICES} are needed"
            + reasons
        )
    whole = sum(sums[1:], start=sums[0])
    rows, gram, cross, squares = _stacked(sums)
    coef = _solved(whole.gram, whole.cross, np.array(float(whole.n)), ridge)
    others = _solved(whole.gram - gram, whole.cross - cross, whole.n - rows, ridge)
    taken = _taken(others, gram, cross)
    return Learned(
        correction=msgspec.structs.replace(correction, coef=tuple(coef.tolist())),
        devices=len(sums),
        rows=whole.n,
        refused=refused,
        explained=float(_share(_taken(coef, whole.gram, whole.cross), whole.squares)),
        gain=float(_share(taken.sum(), whole.squares)),
        median_gain=float(np.median(_share(taken, squares))),
    )


def _stacked(sums: Sequence[Statistics]) -> tuple[Floats, Floats, Floats, Floats]:
    """Return n, G, c and Σ r² of devices, each of shape (d, …)."""
    return (
        np.array([float(each.n) for each in sums]),
        np.stack([each.gram for each in sums]),
        np.stack([each.cross for each in sums]),
        np.array([each.squares for each in sums]),
    )


def _solved(gram: Floats, cross: Floats, rows: Floats, ridge: float) -> Floats:
    """Return β of one or of many sums, shape (…, p)."""
    held = ridge * rows[..., None, None] * np.eye(gram.shape[-1])
    return np.asarray(np.linalg.solve(gram + held, cross[..., None])[..., 0])


def _taken(coef: Floats, gram: Floats, cross: Floats) -> Floats:
    """Return by how much Σ (r − xᵀβ)² is less than Σ r², of one or of many sums, shape (…)."""
    fitted = np.einsum("...i,...ij,...j->...", coef, gram, coef)
    return np.asarray(2.0 * np.sum(coef * cross, axis=-1) - fitted)


def _share(taken: Floats, squares: Floats | float) -> Floats:
    """Return shares of squared residuals; of none, nothing can be taken."""
    return np.divide(taken, squares, out=np.zeros_like(taken), where=np.asarray(squares) > 0)


def _apart(usable: Mapping[DeviceName, Statistics]) -> dict[DeviceName, str]:
    """Return which devices' rows pull far from where the others' do, and how far.

    Of three devices, two may agree by chance: nobody is told apart then.
    """
    if len(usable) < FEWEST_COMPARED:
        return {}
    rows, gram, cross, squares = _stacked(list(usable.values()))
    centre = np.median(_solved(gram, cross, rows, RIDGE), axis=0)
    pull = (cross - gram @ centre) / rows[:, None]
    distance = np.linalg.norm(pull - np.median(pull, axis=0), axis=1)
    noise = max(0.0, float(np.median((squares - _taken(centre, gram, cross)) / rows)))
    chance = noise * np.trace(gram, axis1=1, axis2=2) / rows**2
    usual = np.sqrt(np.median(distance) ** 2 + chance)
    return {
        device: f"its residuals pull {far:.3g} away from the others', where {near:.3g} is usual"
        for device, far, near in zip(usable, distance, usual, strict=True)
        if far > FAR * near
    }


def _usable(
    told: Mapping[DeviceName, Sequence[Update]], correction: Correction
) -> tuple[dict[DeviceName, Statistics], dict[DeviceName, str]]:
    """Return the sums of each device, and why those of others are left out."""
    sums, refused = {}, {}
    for device, updates in told.items():
        mine = [update for update in updates if _settings(update) == _wanted(correction)]
        if not all(map(_possible, mine)):
            refused[device] = "no rows have such sums"
        elif mine:
            sums[device] = _summed(mine)
        elif updates:
            refused[device] = "it learned with other inputs, or with another clip"
    return sums, refused


def _settings(update: Update) -> tuple[object, ...]:
    return update.inputs, update.zone, update.clip


def _wanted(correction: Correction) -> tuple[object, ...]:
    return correction.inputs, correction.zone, correction.clip


def _possible(update: Update) -> bool:
    """Return whether rows of inputs from −1 to 1, the first of them 1, could have these sums."""
    found = unpacked(update.n, update.gram, update.cross, update.squares)
    slack = 1.0 + _ROUNDING
    n, clip = update.n * slack, update.clip
    lowest = float(np.linalg.eigvalsh(found.gram)[0])
    return bool(
        abs(found.gram[0, 0] - update.n) <= _ROUNDING * n
        and np.abs(found.gram).max() <= n
        and lowest >= -_ROUNDING * n
        and np.abs(found.cross).max() <= clip * n
        and found.squares <= clip**2 * n
        and (found.cross**2 <= np.diag(found.gram) * found.squares * slack + _ROUNDING).all()
    )


def _summed(updates: Sequence[Update]) -> Statistics:
    parts = [unpacked(u.n, u.gram, u.cross, u.squares) for u in updates]
    return sum(parts[1:], start=parts[0])


def _bounded(sums: Sequence[Statistics]) -> list[Statistics]:
    """Return sums of which none weighs much more than the median one."""
    most = MOST_TIMES * float(np.median([each.n for each in sums])) if sums else 0.0
    return [_scaled(each, min(1.0, most / each.n)) for each in sums]


def _scaled(sums: Statistics, share: float) -> Statistics:
    return Statistics(
        n=round(share * sums.n),
        gram=share * sums.gram,
        cross=share * sums.cross,
        squares=share * sums.squares,
    )


def learn_from_fleet(place: Home, package: Package) -> Learned:
    """Learn the correction of a package from all that devices sent of its version.

    Raises
    ------
    DataError
        When its devices were not told to learn, or too few of them did.
    """
    manifest = manifest_of(place, package)
    if manifest.correction is None:
        name = place_name(package.logical_model, package.segment)
        raise DataError(
            f"package {package.sequence} of {name} does not let devices learn; "
            "publish one with --learn"
        )
    return learn(_told(place, manifest), manifest.correction)


def correct_package(
    place: Home,
    ring: Keyring,
    package: Package,
    learned: Learned,
    *,
    by: str,
    life: timedelta = LIFE,
) -> Package:
    """Make the next package of the same version and file, with what was learned in its manifest.

    Raises
    ------
    DataError
        When the correction would not help devices that it was not learned from, in sum and the
        median one.
    """
    if min(learned.gain, learned.median_gain) <= 0.0:
        raise DataError(
            f"what {learned.devices} devices learned takes {learned.gain:.1%} of squared residuals "
            f"from the others, and {learned.median_gain:.1%} from the median one: it is not "
            "published"
        )
    known = msgspec.structs.asdict(manifest_of(place, package))
    same = {each.name: known[each.name] for each in fields(Contents) if each.name in known}
    contents = Contents(
        model=place.artifacts.get(package.model), **(same | {"correction": learned.correction})
    )
    version = place.catalog.version(package.version)
    note = f"corrected by what {learned.devices} devices learned"
    return make_package(place, ring, version, contents, by=by, life=life, note=note)


def manifest_of(place: Home, package: Package) -> Manifest:
    """Return the manifest of a package that the centre itself has signed."""
    envelope = decode(place.artifacts.get(package.envelope), Signed)
    return decode(envelope.payload, Manifest)


def _told(place: Home, manifest: Manifest) -> dict[DeviceName, list[Update]]:
    """Return what devices that were told to run it sent of a version, in order."""
    wanted = (manifest.logical_model, manifest.segment, manifest.version)
    allowed = place.catalog.places_of_devices()
    found: defaultdict[DeviceName, list[Update]] = defaultdict(list)
    for item in place.catalog.kept_uplinks("update"):
        update = decode(item.payload, Update)
        mine = (update.logical_model, update.segment, update.version) == wanted
        if mine and (item.device, *wanted[:2]) in allowed:
            found[item.device].append(update)
    return dict(found)
