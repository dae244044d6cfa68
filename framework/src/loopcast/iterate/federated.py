"""What a fleet learns together: a correction of a model's residuals, from sums and no data.

Least squares of r on x need G = Σ x xᵀ and c = Σ x r over all rows, which are sums over devices. So
what the centre solves,

    (G + λ n I) β = c,

is what it would have solved with all rows at hand. From the same sums follows how much the
correction of all *other* devices would have helped each: it is judged by that, since a device that
learned nothing could still be fitted.

Source: for sums instead of rows, C. Chu et al., Map-Reduce for Machine Learning on Multicore,
NIPS 19 (2006); for ridge regression, A. E. Hoerl and R. W. Kennard, Technometrics 12 (1970).
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
MOST_ROWS = 5_000
FEWEST_DEVICES = 3
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A correction, and what it is worth.

    Attributes
    ----------
    devices, rows
        That it was learned from.
    refused
        Why what some devices sent was left out.
    explained
        Share of the squared residuals that it takes away, on the rows that it was learned from.
    gain
        The same for each device by what all others learned, taken together: what to expect of a
        device that is new. Below 0 it does harm.
    """

    correction: Correction
    devices: int
    rows: int
    refused: Mapping[DeviceName, str]
    explained: float
    gain: float


def learn(
    told: Mapping[DeviceName, Sequence[Update]],
    correction: Correction,
    *,
    ridge: float = RIDGE,
    most_rows: int = MOST_ROWS,
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
    most_rows
        A device with more rows counts as if it had so many: none outvotes the fleet.

    Raises
    ------
    DataError
        When fewer than three devices sent what can be used.
    """
    sums, refused = _usable(told, correction, most_rows)
    if len(sums) < FEWEST_DEVICES:
        reasons = "".join(f"; {device}: {reason}" for device, reason in refused.items())
        raise DataError(
            f"{len(sums)} devices sent what can be learned from, and {FEWEST_DEVICES} are needed"
            + reasons
        )
    whole = sum(sums[1:], start=sums[0])
    gram, cross = np.stack([each.gram for each in sums]), np.stack([each.cross for each in sums])
    rows = np.array([each.n for each in sums])
    coef = _solved(whole.gram, whole.cross, np.array(whole.n), ridge)
    others = _solved(whole.gram - gram, whole.cross - cross, whole.n - rows, ridge)
    return Learned(
        correction=msgspec.structs.replace(correction, coef=tuple(coef.tolist())),
        devices=len(sums),
        rows=whole.n,
        refused=refused,
        explained=_share(coef, whole.gram, whole.cross, whole.squares),
        gain=_share(others, gram, cross, whole.squares),
    )


def _solved(gram: Floats, cross: Floats, rows: NDArray[np.int64], ridge: float) -> Floats:
    """Return β of one or of many sums, shape (…, p)."""
    held = ridge * rows[..., None, None] * np.eye(gram.shape[-1])
    return np.asarray(np.linalg.solve(gram + held, cross[..., None])[..., 0])


def _share(coef: Floats, gram: Floats, cross: Floats, squares: float) -> float:
    """Return the share by which Σ (r − xᵀβ)² is less than Σ r²."""
    less = 2.0 * np.sum(coef * cross) - np.einsum("...i,...ij,...j->...", coef, gram, coef).sum()
    return float(less / squares) if squares > 0 else 0.0


def _usable(
    told: Mapping[DeviceName, Sequence[Update]], correction: Correction, most_rows: int
) -> tuple[list[Statistics], dict[DeviceName, str]]:
    """Return the sums of each device, and why those of others are left out."""
    sums, refused = [], {}
    for device, updates in told.items():
        mine = [update for update in updates if _settings(update) == _wanted(correction)]
        if not all(map(_possible, mine)):
            refused[device] = "no rows have such sums"
        elif mine:
            sums.append(_bounded(_summed(mine), most_rows))
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


def _bounded(sums: Statistics, most_rows: int) -> Statistics:
    """Return sums that weigh no more than so many rows."""
    share = min(1.0, most_rows / sums.n)
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
        When the correction would help no device that it was not learned from.
    """
    if learned.gain <= 0.0:
        raise DataError(
            f"what {learned.devices} devices learned takes {learned.gain:.1%} of squared residuals "
            "from the others: it is not published"
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
