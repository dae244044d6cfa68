"""What models of each task are asked, and what is wrong with an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from loopcast.api import ForecastQuery, RankQuery, Task, step_minutes
from loopcast.api.rank import matrix_rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.api import ForecastData, RankData, ScoreData

Data = Any
Answer = Any


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """Inputs, and how to read what comes back.

    Attributes
    ----------
    ask
        Asks a model; the answer is an array with a row for each row of the inputs, or each step.
    fault
        Says what is wrong with an answer, where anything is.
    inputs
        The arrays behind the inputs, which no model may change.
    backwards
        The same rows in reverse order; ``None`` where the order of rows means something.
    alone
        The first row by itself.
    strange
        Rows that training had none of: an answer without a fault, or a refusal.
    """

    ask: Callable[[Any], Answer]
    fault: Callable[[Answer], str]
    inputs: Callable[[], list[NDArray[Any]]]
    backwards: Question | None = None
    alone: Question | None = None
    strange: Question | None = None


def training_data(task: Task, data: Data) -> Data:
    """Return what a model is fitted to: of a forecast, all before the horizon that is asked for."""
    return _last_horizon(data).known if task == "forecast" else data


def question(task: Task, data: Data) -> Question:
    """Return what a model of some data is asked."""
    return _QUESTIONS[task](data)


def _last_horizon(data: ForecastData) -> ForecastQuery:
    """Return the last whole horizon of a panel's actuals, and what was known before it."""
    import pandas as pd

    times, days = data.times, step_minutes(data.horizon) // 1440
    end = (times[-1] + pd.Timedelta(minutes=step_minutes(data.step))).normalize()
    origin = end - pd.DateOffset(days=days)
    return ForecastQuery(
        known=data.until(origin, end), horizon=times[(times >= origin) & (times < end)]
    )


def _forecast(data: ForecastData) -> Question:
    query = _last_horizon(data)

    def ask(model: Any) -> Answer:
        return model.predict(query.known, query.horizon).mean

    def fault(answer: Answer) -> str:
        return _wrong_shape(answer, (len(query.horizon), len(query.known.series)))

    return Question(
        ask=ask, fault=fault, inputs=lambda: [f.to_numpy(copy=True) for f in _frames(query.known)]
    )


def _frames(known: ForecastData) -> list[pd.DataFrame]:
    return [known.target, *known.covariates.values()]


def unforecast(data: ForecastData, model: Any, answer: Answer) -> str:
    """Name a series whose forecasts are NaN or infinite, and which is in no list of failures."""
    import numpy as np

    bad = ~np.isfinite(answer).all(axis=0)
    silent = [n for n, b in zip(data.series, bad, strict=True) if b and n not in model.failures]
    if not silent:
        return ""
    return f"series {silent[0]!r} has forecasts that are no numbers, and is not in failures"


def _score(data: ScoreData) -> Question:
    rows, first = data.features, data.features.iloc[:1]
    strange = rows.assign(**{name: _unseen(rows[name]) for name in data.schema.groupings})
    return replace(
        _rows_question(rows),
        backwards=_rows_question(rows.iloc[::-1]),
        alone=_rows_question(first),
        strange=_rows_question(strange) if data.schema.groupings else None,
    )


def _unseen(column: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series("a category that nobody saw", column.index, dtype="category")


def _rows_question(rows: pd.DataFrame) -> Question:
    return Question(
        ask=lambda model: model.predict(rows).probability,
        fault=lambda answer: _no_probabilities(answer, len(rows)),
        inputs=lambda: [rows[name].to_numpy(copy=True) for name in rows],
    )


def _no_probabilities(answer: Answer, rows: int) -> str:
    wrong = _wrong_shape(answer, (rows,))
    if wrong:
        return wrong
    bad = int((~((answer >= 0.0) & (answer <= 1.0))).sum())
    return f"{bad} of {rows} probabilities are not from 0 to 1" if bad else ""


def _rank(data: RankData) -> Question:
    """Ask for everyone and for one never seen, without what was chosen and without an item."""
    import numpy as np

    entities = np.append(np.arange(len(data.entities)), -1).astype(np.int32)
    alone = _query(data, entities[:1])
    return replace(
        _query_question(_query(data, entities)),
        backwards=_query_question(_query(data, entities[::-1].copy())),
        alone=_query_question(alone),
    )


def _query(data: RankData, entities: NDArray[np.int32]) -> RankQuery:
    import numpy as np

    features = data.entity_features
    return RankQuery(
        entities=entities,
        length=data.schema.length,
        allowed=np.arange(len(data.items)) > 0,
        excluded=None if data.schema.repeat else matrix_rows(data.choices, entities).sign(),
        entity_features=None if features is None else features.iloc[np.maximum(entities, 0)],
    )


def _query_question(query: RankQuery) -> Question:
    import numpy as np

    def ask(model: Any) -> Answer:
        found = model.predict(query)
        return np.stack([found.items, found.scores], axis=-1).astype(np.float64)

    def inputs() -> list[NDArray[Any]]:
        excluded = [] if query.excluded is None else [query.excluded.toarray()]
        return [query.entities.copy(), query.allowed.copy(), *excluded]

    return Question(ask=ask, fault=lambda answer: _no_lists(answer, query), inputs=inputs)


def _no_lists(answer: Answer, query: RankQuery) -> str:
    import numpy as np

    wrong = _wrong_shape(answer, (len(query.entities), query.length, 2), " of items and scores")
    if wrong:
        return wrong
    items, scores = answer[..., 0].astype(np.int64), answer[..., 1]
    row, filled = np.arange(len(items))[:, None], items >= 0
    barred = ~query.allowed[np.maximum(items, 0)]
    if query.excluded is not None:
        barred |= query.excluded.toarray()[row, np.maximum(items, 0)] != 0
    listed = np.sort(np.where(filled, items, -1 - np.arange(query.length)), axis=1)
    problems = {
        "a place without an item has a score, or one with an item none": filled == np.isnan(scores),
        "an item is listed that is not allowed, or excluded": filled & barred,
        "an item is twice in a list": np.diff(listed, axis=1) == 0,
        "scores rise along a list": np.diff(scores, axis=1) > 0,
    }
    return next((problem for problem, found in problems.items() if found.any()), "")


def _wrong_shape(answer: Answer, shape: tuple[int, ...], what: str = "") -> str:
    found = getattr(answer, "shape", type(answer).__name__)
    return "" if found == shape else f"the answer has shape {found}; expected {shape}{what}"


_QUESTIONS: Mapping[Task, Callable[[Any], Question]] = {
    "forecast": _forecast,
    "score": _score,
    "rank": _rank,
}
