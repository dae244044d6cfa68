from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_info, threadpool_limits

from loopcast.api import PluginError
from loopcast_recommender.als.method import Factors, ItemFactors, fit_factors

OPTION = Factors(factors=4, penalty=2.0, confidence=5.0, iterations=30)


def chosen(seed: int) -> sparse.csr_array:
    drawn = np.random.default_rng(seed).random((40, 15)) < 0.3
    return sparse.csr_array(drawn.astype(np.float32))


def test_entities_get_the_factors_that_minimise_the_loss() -> None:
    """Hu, Koren and Volinsky (2008), formula 3, by brute force for one entity."""
    y, x = np.random.default_rng(1).normal(size=(15, 4)), chosen(seed=2)[:1]
    model = ItemFactors(items=y.astype(np.float32), option=OPTION)
    p, confidence = x.toarray()[0], 1.0 + (OPTION.confidence - 1.0) * x.toarray()[0]
    root = np.sqrt(confidence)
    stacked = np.vstack([y * root[:, None], np.sqrt(OPTION.penalty) * np.eye(4)])
    best = np.linalg.lstsq(stacked, np.append(p * root, np.zeros(4)))[0]
    assert model.score(x)[0] == pytest.approx(y @ best, abs=1e-5)


def test_a_fit_is_a_fixed_point_of_both_halves() -> None:
    x = chosen(seed=3)
    model = fit_factors(x, OPTION)
    again = fit_factors(x, OPTION)
    assert np.array_equal(model.items, again.items)
    entities = model._entities(x)
    turned = ItemFactors(items=entities.astype(np.float32), option=OPTION)
    assert turned._entities(x.T.tocsr()) == pytest.approx(model.items, abs=0.02)


def test_threads_of_the_environment_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library warns of more than one, once in a process, and a warning is an error here."""
    with threadpool_limits(1, "blas"):
        alone = fit_factors(chosen(seed=4), OPTION)
    monkeypatch.setattr("implicit.utils._checked_blas_config", False)
    with threadpool_limits(2, "blas"):
        before = threadpool_info()
        many = fit_factors(chosen(seed=4), OPTION)
        assert threadpool_info() == before
    assert np.array_equal(alone.items, many.items)


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(PluginError, match=r"pip install 'loopcast-recommender\[als\]'"):
        fit_factors(chosen(seed=1), OPTION)
