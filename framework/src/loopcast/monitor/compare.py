"""Many groups of recent rows beside the references of their versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import VersionId
from loopcast.deploy.bundle import read_file
from loopcast.monitor.bins import Floats
from loopcast.monitor.daily import Group
from loopcast.monitor.drift import Measured, adjusted, measure_pair, studentised
from loopcast.monitor.measures import Pair
from loopcast.monitor.reference import REFERENCE_FILE, Reference, in_season, read_reference
from loopcast.monitor.resemblance import places
from loopcast.monitor.sketch import Sketch, concatenated
from loopcast.monitor.totals import Total

if TYPE_CHECKING:
    from loopcast.store.home import Home

AT_ONCE = 2_000
"""Groups that are measured together: so many need about a gigabyte."""


def read_references(home: Home, ids: Iterable[VersionId]) -> dict[VersionId, Reference]:
    """Return the reference of each version that is known and has one."""
    found = {}
    for identifier, version in home.catalog.versions_of(sorted(set(ids))).items():
        content = read_file(home.artifacts, version.manifest, REFERENCE_FILE)
        if content is not None:
            found[identifier] = read_reference(content)
    return found


@dataclass(frozen=True, eq=False, kw_only=True)
class Compared:
    """Groups with the same inputs, and how far each is from its reference."""

    groups: tuple[Group, ...]
    measured: Measured


def compare(
    total: Sequence[Total],
    references: Mapping[VersionId, Reference],
    months: Sequence[int],
    *,
    recent: Sequence[Sketch] | None = None,
    measures_used: Collection[str] | None = None,
) -> list[Compared]:
    """Measure every group that has a reference; p-values are adjusted over all of them.

    Parameters
    ----------
    months
        Calendar month of each day of the totals, from 0 to 11.
    recent
        Of each total, the rows that are measured, in its groups: its own where left out. How much
        rows resemble each other is what the totals show.
    measures_used
        Those whose p-values are adjusted; all where they are left out.
    """
    sketches = [each.sketch for each in total] if recent is None else recent
    pairs = [
        piece
        for each, rows in zip(total, sketches, strict=True)
        for piece in _pieces(each, rows, _Beside.of(each, references, months))
    ]
    measured = adjusted([found for _, found in pairs], measures_used) if pairs else []
    return [
        Compared(groups=groups, measured=found)
        for (groups, _), found in zip(pairs, measured, strict=True)
    ]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Beside:
    """Positions of groups of a total, and the reference and its sketch of each."""

    position: list[int]
    reference: list[Reference]
    sketch: list[Sketch]

    @classmethod
    def of(
        cls, total: Total, references: Mapping[VersionId, Reference], months: Sequence[int]
    ) -> _Beside:
        found = cls(position=[], reference=[], sketch=[])
        in_month = np.eye(12)[np.asarray(months, dtype=np.intp)]
        weights = total.rows @ in_month
        for position, group in enumerate(total.groups):
            reference = references.get(group.version)
            if reference is None or group.bins != reference.bins.digest:
                continue
            if not group.subset:
                season = in_season(reference, weights[position])
                found._add(position, reference, season.sketch)
            elif group.subset in reference.subsets:
                place = reference.subsets.index(group.subset)
                found._add(position, reference, reference.subset_sketch.take([place]))
        return found

    def _add(self, position: int, reference: Reference, sketch: Sketch) -> None:
        self.position.append(position)
        self.reference.append(reference)
        self.sketch.append(sketch)

    def pieces(self) -> Iterator[_Beside]:
        """Yield groups with the same inputs, not too many at once."""
        layouts = [each.bins.layout for each in self.reference]
        for wanted in dict.fromkeys(layouts):
            mine = [i for i, layout in enumerate(layouts) if layout == wanted]
            for start in range(0, len(mine), AT_ONCE):
                chosen = mine[start : start + AT_ONCE]
                yield _Beside(
                    position=[self.position[i] for i in chosen],
                    reference=[self.reference[i] for i in chosen],
                    sketch=[self.sketch[i] for i in chosen],
                )


def _pieces(
    total: Total, recent: Sketch, beside: _Beside
) -> Iterator[tuple[tuple[Group, ...], Measured]]:
    design, freedom = _designs(total, beside)
    for piece in beside.pieces():
        groups, rows = tuple(total.groups[i] for i in piece.position), piece.position
        found = _measured(recent.take(rows), piece, design[rows])
        yield groups, studentised(found, freedom[rows])


def _designs(total: Total, beside: _Beside) -> tuple[Floats, Floats]:
    """Return the design effect of each group, and the degrees of freedom it is known by.

    Few days show too little of how much their rows resemble each other. So no group goes below
    its reference, and no subpopulation, such as one day of the week, below what it has of the
    resemblance of all rows: an effect of 1 + (m − 1) ρ, with m rows a day.

    Source: L. Kish (1965), Survey Sampling, section 5.4.
    """
    known, shown = np.ones(total.places.shape), np.ones(total.places.shape)
    for piece in beside.pieces():
        order = places(np.concatenate([each.sketch.counts for each in piece.reference]))
        known[piece.position] = np.stack([each.design for each in piece.reference])
        shown[piece.position] = total.take(piece.position).design(order)
    whole = {_all_rows(group): n for n, group in enumerate(total.groups) if not group.subset}
    of = [whole[_all_rows(group)] for group in total.groups]
    beyond = np.maximum(total.sketch.total / np.maximum(total.active, 1) - 1.0, 0.0)
    share = np.divide(beyond, beyond[of], out=np.zeros_like(beyond), where=beyond[of] > 0)
    lent = 1.0 + np.minimum(share, 1.0) * (shown[of] - 1.0)
    days = np.where(lent > shown, total.active[of], total.active)
    design = np.maximum.reduce([known, shown, lent])
    return design, _freedom(design, known, days)


def _freedom(design: Floats, known: Floats, days: NDArray[np.int64]) -> Floats:
    """Return the degrees of freedom of design effects that days show beyond what is known.

    Source: F. E. Satterthwaite (1946), Biometrics 2, of a sum one of whose parts has no error.
    """
    ratio = np.divide(
        design, design - known, out=np.full_like(design, np.inf), where=design > known
    )
    return np.asarray(np.maximum(days - 1, 1) * ratio**2)


def _all_rows(group: Group) -> Group:
    return replace(group, subset="")


def _measured(recent: Sketch, beside: _Beside, design: Floats) -> Measured:
    references = beside.reference
    own = np.stack([each.design for each in references])
    reference = concatenated(beside.sketch)
    both = Pair(
        reference=reference,
        recent=recent,
        edges=np.stack([each.bins.edges for each in references]),
        sizes=(reference.size / own, recent.size / design),
        all_sizes=(reference.size_of_all / own, recent.size_of_all / design),
    )
    effect = np.stack([each.effect for each in references])
    centres: Floats = np.stack([each.bins.centres for each in references])
    return measure_pair(references[0].bins.names, both, effect, centres)
