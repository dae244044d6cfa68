"""What all templates of the plugin promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loopcast.api import Continuing, DataError, FitContext, Ranker, Template
from loopcast.develop.engine import LocalEngine
from loopcast_recommender import loopcast_templates

from ..samples import query, rank_data, tastes

CONTEXT = FitContext(seed=1, engine=LocalEngine())
TEMPLATES = loopcast_templates()


def fitted(template: Template[Any, Any], family: Any) -> dict[str, Any]:
    return dict(template.fit(family, template.hyperparameters(), CONTEXT))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
class TestTemplate:
    def test_a_segment_depends_on_its_own_data_alone(self, template: Any) -> None:
        family = {"a": tastes(seed=1), "b": tastes(seed=2, items=40)}
        together = fitted(template, family)
        for name, data in family.items():
            alone = fitted(template, {name: data})[name]
            assert alone.save() == together[name].save()

    def test_a_broken_segment_stops_no_other(self, template: Any) -> None:
        family = {"empty": rank_data(np.array([]), np.array([])), "good": tastes(seed=1)}
        found = fitted(template, family)
        assert isinstance(found["empty"], DataError)
        assert isinstance(found["good"], Ranker)

    def test_a_model_survives_its_files(self, template: Any) -> None:
        data = tastes(seed=3)
        model = fitted(template, {"": data})[""]
        asked = query(data, excluded=None, allowed=np.arange(len(data.items)) % 2 == 0)
        expected, found = (m.predict(asked) for m in (model, template.load(model.save())))
        assert np.array_equal(expected.items, found.items)
        assert np.array_equal(expected.scores, found.scores)
        assert (expected.items % 2 == 0).all()


@pytest.mark.parametrize(
    "template",
    [template for template in TEMPLATES if isinstance(template, Continuing)],
    ids=lambda template: template.name,
)
class TestContinuing:
    def test_without_a_model_before_it_fits_as_ever(self, template: Any) -> None:
        family = {"a": tastes(seed=1, rows=1_000)}
        [(_, found)] = template.fit_after({}, family, template.hyperparameters(), CONTEXT)
        assert found.save() == fitted(template, family)["a"].save()

    def test_a_model_is_as_ever_with_its_options(self, template: Any) -> None:
        before, data = tastes(seed=1, rows=800), tastes(seed=2, rows=1_000)
        model = fitted(template, {"a": before})["a"]
        p = template.hyperparameters()
        family = {"empty": rank_data(np.array([]), np.array([])), "a": data, "new": before}
        found = dict(template.fit_after({"a": model, "empty": model}, family, p, CONTEXT))
        assert isinstance(found["empty"], DataError)
        assert found["new"].save() == model.save()
        [(_, again)] = template.refit({"a": found["a"]}, {"a": data}, p, CONTEXT)
        assert found["a"].save() == again.save()
