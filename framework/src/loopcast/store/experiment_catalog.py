"""The part of the catalog that keeps experiments, and what bandits have learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loopcast.api import BanditState, Experiment, ExperimentStep, NotFoundError, Segment, place_name
from loopcast.store import database, experiments, governance, trials
from loopcast.store.catalog_part import CatalogPart
from loopcast.store.trials import Trial


class ExperimentCatalog(CatalogPart):
    """Declarations of experiments, their steps, and the shares of bandits."""

    def declare(self, items: Sequence[Experiment]) -> None:
        """Declare experiments, all or none, in place of declarations that have not begun.

        Raises
        ------
        NotFoundError
            When an arm is not in the catalog.
        StoreError
            When an arm belongs elsewhere, or an experiment of this name has begun.
        """
        with database.writing(self._engine) as connection:
            experiments.declare(connection, items)

    def take_step(self, items: Sequence[Experiment], step: ExperimentStep) -> None:
        """Begin, stop or conclude experiments as they were declared, all or none.

        Raises
        ------
        ConflictError
            When one was declared anew meanwhile, or another one runs on the same population.
        StoreError
            When it is not the time for the step, or arms do not stand where they have to.
        SwitchError
            When one is to begin where the switch says freeze.
        """
        with database.writing(self._engine) as connection:
            experiments.take_step(connection, items, step)

    def experiment(self, logical_model: str, segment: Segment, name: str) -> Trial:
        """Return an experiment and how far it has come.

        Raises
        ------
        NotFoundError
            When it was not declared, naming those that were.
        """
        found = {t.experiment.name: t for t in self.experiments(logical_model, [segment])}
        if name not in found:
            place = place_name(logical_model, segment)
            known = ", ".join(found) or "none"
            raise NotFoundError(f"{place} has no experiment {name!r}; there are: {known}")
        return found[name]

    def experiments(
        self, logical_model: str | None = None, segments: Sequence[Segment] | None = None
    ) -> tuple[Trial, ...]:
        """Return all experiments, the oldest first."""
        with database.reading(self._engine) as connection:
            return trials.trials(connection, logical_model, segments)

    def active_experiments(
        self, logical_model: str, segments: Sequence[Segment] | None = None
    ) -> dict[Segment, Trial]:
        """Return the experiment of each segment that runs with its arms where they have to be."""
        with database.reading(self._engine) as connection:
            return trials.active(connection, logical_model, segments)

    def experiment_obstacle(self, experiment: Experiment) -> str:
        """Say which arm does not stand where it has to; the empty string where all do."""
        with database.reading(self._engine) as connection:
            stages = governance.stages_of(connection, experiment.arms)
        return trials.obstacle(experiment, stages)

    def put_bandits(
        self, logical_model: str, states: Mapping[Segment, BanditState]
    ) -> tuple[Segment, ...]:
        """Keep what the bandits of segments have learned; return those in which one runs."""
        with database.writing(self._engine) as connection:
            return experiments.put_states(connection, logical_model, states)
