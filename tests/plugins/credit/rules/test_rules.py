from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ConfigurationError, IntegrityError, ScoreData
from loopcast_credit.rules.hyperparameters import Condition, Rule
from loopcast_credit.rules.model import RuleScorer
from loopcast_credit.templates.rules import Rules

from ..samples import fitted, score_data

RULES = (
    Rule(name="young", when={"age": Condition(below=25.0)}, odds=2.0),
    Rule(name="middle", when={"age": Condition(at_least=25.0, below=60.0)}, odds=0.5),
    Rule(name="unsaid", when={"age": Condition(missing=True)}, odds=3.0),
    Rule(
        name="young tenant",
        when={"age": Condition(below=30.0), "home": Condition(among=("rent", "castle"))},
        odds=1.5,
    ),
)


def applicants() -> ScoreData:
    random = np.random.default_rng(0)
    age = random.integers(18, 70, 500).astype(float)
    age[::9] = np.nan
    home = random.choice(["own", "rent"], 500)
    target = (random.random(500) < 0.3).astype(float)
    return score_data(pd.DataFrame({"age": age, "home": home}), target)


def factor(age: float, home: str | None) -> float:
    """The product of the odds of all rules, row by row."""
    odds = 1.0
    odds *= 2.0 if age < 25.0 else 1.0
    odds *= 0.5 if 25.0 <= age < 60.0 else 1.0
    odds *= 3.0 if np.isnan(age) else 1.0
    return odds * (1.5 if age < 30.0 and home in ("rent", "castle") else 1.0)


def test_rules_multiply_the_odds() -> None:
    model = fitted(Rules(), applicants(), rules=RULES)
    assert isinstance(model, RuleScorer)
    rows = pd.DataFrame(
        {
            "age": [18.0, 25.0, 29.9, 60.0, np.nan, 24.9],
            "home": pd.Series(["rent", "own", "castle", "rent", "rent", None], dtype="category"),
        }
    )
    probability = model.predict(rows).probability
    expected = [factor(age, home) for age, home in rows.astype(object).itertuples(index=False)]
    level = np.exp(model.book.level)
    np.testing.assert_allclose(probability / (1.0 - probability), level * np.array(expected))


def test_the_level_makes_the_mean_the_event_rate() -> None:
    data = applicants()
    model = fitted(Rules(), data, rules=RULES)
    assert model.predict(data.features).probability.mean() == pytest.approx(data.target.mean())


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({"income": Condition(below=1.0)}, "rule 'r': 'income' is no feature; there are age, home"),
        ({"age": Condition(among=("a",))}, "age is a number"),
        ({"home": Condition(below=1.0)}, "home is a category"),
        ({"age": Condition()}, "age has no condition"),
        ({"age": Condition(missing=True, below=3.0)}, "cannot be missing and have a value"),
    ],
)
def test_rules_that_do_not_fit_are_refused(when: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        fitted(Rules(), applicants(), rules=(Rule(name="r", when=when, odds=2.0),))


def test_no_rule_is_no_model() -> None:
    with pytest.raises(ConfigurationError, match="rules: there is none"):
        fitted(Rules(), applicants())
    with pytest.raises(IntegrityError, match="not expert rules"):
        Rules().load({"rules.json": b"[]"})
