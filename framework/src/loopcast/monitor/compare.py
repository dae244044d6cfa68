"""Many groups of recent rows beside the references of their versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import VersionId
from loopcast.deploy.bundle import read_manifest
from loopcast.monitor.bins import Floats
from loopcast.monitor.daily import Group
from loopcast.monitor.drift import Measured, adjusted, measure_pair
from loopcast.monitor.measures import Pair, places
from loopcast.monitor.reference import REFERENCE_FILE, Reference, in_season, read_reference
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
        files = read_manifest(home.artifacts, version.manifest).files
        if REFERENCE_FILE in files:
            content = home.artifacts.get(files[REFERENCE_FILE].sha256)
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
    least_design: Floats | None = None,
) -> list[Compared]:
    """Measure every group that has a reference; p-values are adjusted over all of them.

    Parameters
    ----------
    months
        Calendar month of each day of the totals, from 0 to 11.
    least_design : ndarray, shape (inputs,)
        Design effect that no group goes below: a subpopulation such as one day of the week has
        few days to show its own.
    """
    pairs = [
        piece
        for each in total
        for piece in _pieces(each, _Beside.of(each, references, months), least_design)
    ]
    measured = adjusted([found for _, found in pairs]) if pairs else []
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
    total: Total, beside: _Beside, least_design: Floats | None
) -> Iterator[tuple[tuple[Group, ...], Measured]]:
    for piece in beside.pieces():
        groups = tuple(total.groups[i] for i in piece.position)
        yield groups, _measured(total.take(piece.position), piece, least_design)


def _measured(total: Total, beside: _Beside, least_design: Floats | None) -> Measured:
    references = beside.reference
    whole = np.concatenate([each.sketch.counts for each in references])
    own = np.stack([each.design for each in references])
    least = own if least_design is None else np.maximum(own, least_design)
    both = Pair(
        reference=concatenated(beside.sketch),
        recent=total.sketch,
        edges=np.stack([each.bins.edges for each in references]),
        sizes=(
            concatenated(beside.sketch).size / own,
            total.sketch.size / np.maximum(total.design(places(whole)), least),
        ),
    )
    effect = np.stack([each.effect for each in references])
    centres: Floats = np.stack([each.bins.centres for each in references])
    return measure_pair(references[0].bins.names, both, effect, centres)
