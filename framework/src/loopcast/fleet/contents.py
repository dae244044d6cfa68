"""From a version's export to the contents of its package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.deploy.export.tflite.export import TOLERANCE, checked_file, exportable
from loopcast.develop.applicability import APPLICABILITY_FILE, read_domains
from loopcast.fleet.golden import golden_of
from loopcast.fleet.lists import as_named
from loopcast.fleet.packages import Contents
from loopcast.fleet.plausible import BEYOND, believed, outputs_of
from loopcast.fleet.usual import last_weeks, usual_of
from loopcast_edge.wire import DriftReference, Recipe, Tensor, Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.deploy.loaded import LoadedVersion


def contents_of(
    loaded: LoadedVersion,
    *,
    trial: Trial,
    series: str = "",
    reference: DriftReference | None = None,
    ready: bytes | None = None,
    tolerance: float = TOLERANCE,
    beyond: float = BEYOND,
) -> Contents:
    """Return what a version becomes on a device, compared with its model in the runtimes here.

    Parameters
    ----------
    series
        Of a forecast: the one that devices forecast; empty where there is one only.
    reference
        Where devices count what they see.
    ready
        A file that another converter made of the version, in place of ours.
    tolerance
        Largest difference of an answer, as a share of the largest; devices allow twice as much,
        since runtimes differ a little.
    beyond
        How far outside of what it says all over its domain a device believes it, and covariates of
        what training has seen; see `loopcast.fleet.plausible`.

    Raises
    ------
    ModelError
        When the version has no graph and no file was given.
    IntegrityError
        When the file differs from the model by more.
    """
    found = exportable(loaded, series)
    model, _, _ = checked_file(loaded, ready, tolerance, series)
    usual = usual_of(loaded, found.recipe.target)
    return Contents(
        model=model,
        recipe=_believed(loaded, found.recipe, beyond),
        outputs=outputs_of(found, model, beyond),
        golden=(golden_of(found.vectors, model, tolerance),),
        state=_at_first(found.vectors.state),
        profile=usual.profile,
        intervals=usual.intervals,
        trial=trial,
        reference=as_named(reference) if found.items and reference else reference,
    )


def _believed(loaded: LoadedVersion, recipe: Recipe, beyond: float) -> Recipe:
    domains = loaded.bundle.files.get(APPLICABILITY_FILE)
    if loaded.forecast is None or recipe.target is None or domains is None:
        return recipe
    site = last_weeks(loaded).site_of[recipe.target]
    return believed(recipe, read_domains(domains)[site], beyond)


def _at_first(state: NDArray[np.float32] | None) -> Tensor | None:
    """Return the state of a device that knows nothing yet: that of the scenario is of its time."""
    return None if state is None else Tensor.of(np.zeros_like(state))
