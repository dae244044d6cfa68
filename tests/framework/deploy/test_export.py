"""Exports are compared with their model, and nothing is kept of one that differs."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    ConfigurationError,
    CSource,
    IntegrityError,
    ModelError,
    Scores,
    StoreError,
)
from loopcast.deploy.export import native
from loopcast.deploy.export.export import export, write_file
from loopcast.deploy.export.forms import Names
from loopcast.deploy.export.probes import UNSEEN, probes
from loopcast.deploy.frames import frame_bytes
from loopcast.deploy.score_bundle import SCENARIO_FILE

ROWS = pd.DataFrame(
    {"income": [1.0, 2.0, np.nan], "home": pd.Series(["rent", None, "own"], dtype="category")}
)
NAMES = Names(table="applicants", key="id")

C = """
#include <math.h>
#include <string.h>
double loopcast_score(const double *numbers, const char *const *texts) {
    double x = isnan(numbers[0]) ? 0.0 : numbers[0];
    return 1.0 / (1.0 + exp(-fmax(fmin(x, 2.0), -2.0) - (texts[0] && !strcmp(texts[0], "own"))));
}
void loopcast_scores(long rows, const double *numbers, const char *const *texts, double *found) {
    for (long row = 0; row < rows; row++) found[row] = loopcast_score(numbers + row, texts + row);
}
"""


@dataclass
class Model:
    """A scorer in two languages, of which the SQL may be wrong."""

    sql: str = "CASE WHEN income IS NULL THEN 0 WHEN income > 2 THEN 2 WHEN income < -2 THEN -2 "
    wrong: float = 0.0

    def predict(self, rows: pd.DataFrame) -> Scores:
        x = np.clip(np.nan_to_num(rows["income"].to_numpy(np.float64)), -2.0, 2.0)
        own = (rows["home"] == "own").to_numpy(np.float64)
        return Scores(probability=1.0 / (1.0 + np.exp(-x - own)))

    def to_sql(self, table: str, key: str) -> str:
        odds = f"{self.sql} ELSE income END + CASE WHEN home = 'own' THEN 1 ELSE 0 END"
        return (
            f'SELECT "{key}", odds AS log_odds, 1 / (1 + EXP(-odds)) + {self.wrong} '
            f'FROM (SELECT "{key}", {odds} AS odds FROM "{table}") AS s'
        )

    def to_c(self) -> CSource:
        return CSource(text=C, numbers=("income",), texts=("home",))


def loaded(model: Any, task: str = "score") -> Any:
    """What an export needs of a loaded version."""
    return SimpleNamespace(
        model=model,
        version=SimpleNamespace(id="0123456789abcdef", template="example.model"),
        logical_model=SimpleNamespace(name="credit", task=task),
        bundle=SimpleNamespace(files={SCENARIO_FILE: frame_bytes(ROWS, {"expected": np.ones(3)})}),
    )


@pytest.mark.parametrize("form", ["sql", "c"])
def test_an_export_that_agrees_is_returned(form: str) -> None:
    done = export(loaded(Model()), form, NAMES, 1e-12)
    assert done.rows > len(ROWS)
    assert done.worst
    assert all(value <= 1e-12 for value in done.worst.values())


def test_an_export_that_differs_is_refused_with_the_difference() -> None:
    with pytest.raises(IntegrityError, match=r"sql, run by SQLite, differs .* up to 1e-06"):
        export(loaded(Model(wrong=1e-6)), "sql", NAMES, 1e-9)
    assert export(loaded(Model(wrong=1e-6)), "sql", NAMES, 1e-5).worst["SQLite"] < 1.1e-6


def test_odd_rows_find_what_the_scenario_hides() -> None:
    """No row of the scenario has an income beyond 2, where this statement is wrong."""
    careless = Model(sql="CASE WHEN income IS NULL THEN 0")
    with pytest.raises((IntegrityError, ModelError)):
        export(loaded(careless), "sql", NAMES, 1e-12)


def test_every_feature_is_made_odd() -> None:
    rows = probes(ROWS)
    assert len(rows) == 3 + 5 + 2 + 1
    assert UNSEEN in set(rows["home"])
    assert rows["income"].max() == 1e12
    assert rows.iloc[-1].isna().all()
    pd.testing.assert_frame_equal(
        rows.iloc[:3].astype({"home": "str"}), ROWS.astype({"home": "str"})
    )


def test_a_model_without_the_form_says_what_it_has() -> None:
    with pytest.raises(ModelError, match="has no export to onnx; it offers sql, c"):
        export(loaded(Model()), "onnx", NAMES, 1e-12)
    with pytest.raises(ModelError, match="task forecast"):
        export(loaded(Model(), "forecast"), "sql", NAMES, 1e-12)


@pytest.mark.parametrize("form", ["sql", "c", "tflite"])
def test_what_a_template_raises_names_it(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    what = "to_graph" if form == "tflite" else f"to_{form}"
    monkeypatch.setattr(Model, what, lambda *_: int("knots"), raising=False)
    with pytest.raises(ModelError, match=rf"example\.model: {what} raised ValueError: .*knots"):
        export(loaded(Model()), form, NAMES)
    monkeypatch.undo()
    monkeypatch.setattr(Model, "predict", lambda *_: int("age"))
    with pytest.raises(ModelError, match=r"example\.model: predict raised ValueError: .*age"):
        export(loaded(Model()), "sql", NAMES)


def test_a_broken_statement_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="SQLite refuses the statement"):
        export(loaded(Model(sql="CASE WHEN nothing")), "sql", NAMES, 1e-12)
    monkeypatch.setattr(Model, "to_c", lambda self: CSource("int x", ("income",), ("home",)))
    with pytest.raises(ModelError, match="does not compile"):
        export(loaded(Model()), "c", NAMES, 1e-12)


def test_without_a_compiler_or_a_runtime_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    with pytest.raises(ConfigurationError, match="no 'no-such-compiler'; install one"):
        export(loaded(Model()), "c", NAMES, 1e-12)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(Model, "to_onnx", lambda self: b"", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install 'loopcast\[export\]'"):
        export(loaded(Model()), "onnx", NAMES, 1e-12)


def test_a_damaged_model_is_refused_by_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "to_onnx", lambda self: b"damaged", raising=False)
    with pytest.raises(ModelError, match="onnxruntime refuses"):
        export(loaded(Model()), "onnx", NAMES, 1e-12)


def test_a_nan_is_no_agreement() -> None:
    with pytest.raises((IntegrityError, ModelError)):
        export(loaded(Model(wrong=math.inf)), "sql", NAMES, 1e-12)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "score.sql"
    write_file(target, b"SELECT 1")
    write_file(target, b"SELECT 2")
    assert [path.name for path in target.parent.iterdir()] == ["score.sql"]
    assert target.read_bytes() == b"SELECT 2"
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        write_file(tmp_path / "file" / "score.sql", b"")


def test_c_reads_texts_of_any_alphabet() -> None:
    source = Model().to_c()
    rows = pd.DataFrame({"income": [0.0], "home": pd.Series(["zuhause ü"], dtype="category")})
    assert native.c_scores(source, rows).tolist() == [0.5]
