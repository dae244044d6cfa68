"""From a contest of scorers or rankers to what is bundled and registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from loopcast.api import Engine, FitContext, LoopcastError
from loopcast.deploy.loaded import Packed
from loopcast.develop.contest import Trained, Trial, train_family
from loopcast.develop.course import Advance, Contender, Course
from loopcast.develop.holdout import Holdout
from loopcast.develop.known import Known
from loopcast.iterate.tasks import Contest, Made
from loopcast.monitor.training import reference_file

DataT = TypeVar("DataT")


def make_family(
    course: Course[Holdout],
    family: Mapping[str, Known[DataT]],
    engine: Engine,
    advance: Advance,
    *,
    trial: Trial[DataT],
    pack: Callable[[Trained, Contender, DataT, Contender | None], Packed],
) -> Iterator[tuple[str, Made | LoopcastError]]:
    """Train each segment of a family and pack it; an error is the outcome of its segment."""
    context = FitContext(seed=course.seed, engine=engine)
    for segment, trained in train_family(course, family, trial, context, advance):
        if isinstance(trained, LoopcastError):
            yield segment, trained
            continue
        known = family[segment]
        try:
            packed = pack(trained, course.candidate, known.training, course.stand_in)
            reference = reference_file(known.training, trained.judged, course.seed)
        except LoopcastError as error:
            yield segment, error
        else:
            yield (
                segment,
                Made(
                    datasets=(known.dataset, trained.test),
                    files={**packed.files, **reference},
                    evaluations=trained.evaluations,
                    gates=trained.gates,
                    contest=Contest(
                        judged=trained.judged,
                        split=trained.split,
                        model=packed.model,
                        scenario=packed.scenario,
                    ),
                ),
            )
