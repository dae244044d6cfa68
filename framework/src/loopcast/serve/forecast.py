"""Batch forecasts of a family: each segment from its own origin, by its champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.dataset import KnownForecast, known_forecast
from loopcast.serve.answer_files import arrow
from loopcast.serve.answers import Answers
from loopcast.serve.batch import forecast
from loopcast.serve.outputs import about_forecast, event_inputs, event_keys, event_outputs

if TYPE_CHECKING:
    from loopcast.serve.answers import Posed, Question


def prepare(question: Question) -> KnownForecast:
    """Return the series of one segment, and what is known of the days to forecast.

    Raises
    ------
    DataError
        Where the table does not satisfy the schema, or the day does not fit it.
    """
    course = question.course
    assert isinstance(course, ForecastCourse)
    return known_forecast(
        question.table, question.settings, course.schema, question.source, question.day
    )


def answer(posed: Posed) -> Answers:
    """Forecast the series of one segment, coherent and with intervals.

    The champion forecasts all of them: two versions, each with a share, would not add up.

    Raises
    ------
    DataError
        Where its series are not those of the training.
    ModelError
        Where a model's answer cannot be used.
    """
    course, responsible = posed.question.course, posed.responsible
    known: KnownForecast = posed.data
    assert isinstance(course, ForecastCourse)
    version = responsible.serving.version()
    batch = forecast(
        responsible.models[version],
        known.data,
        known.origin,
        course.reconciler,
        course.logical_model.applicability,
    )
    return Answers(
        table=arrow(batch.table.assign(version=version)),
        key=event_keys(batch).to_numpy(),
        version=np.full(len(batch.table), version),
        action=batch.table["action"],
        outputs=event_outputs(batch),
        inputs=event_inputs(batch, known.data),
        about=about_forecast(batch),
    )


STEPS = (answer,)
