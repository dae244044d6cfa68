"""Targets from payments: good or bad when the window has passed, before that unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast.api import DataError, InvalidRecordError
from loopcast.develop.columns import Columns
from loopcast.develop.score.delinquency import (
    DelinquencyOptions,
    DelinquencyReader,
    matured_outcome,
)

LOANS = pd.DataFrame(
    {
        "loan": ["paid", "late", "bad", "worse later", "young", "young and bad", "silent"],
        "opened": ["2023-01-15"] * 4 + ["2024-03-01", "2024-03-01", "2023-01-15"],
    }
)
PAYMENTS = pd.DataFrame(
    [
        ("paid", "2023-02-28", 0), ("paid", "2024-01-15", 0),
        ("late", "2023-06-30", 59), ("late", "2024-02-28", 0),
        ("bad", "2023-05-31", 30), ("bad", "2023-07-31", 90), ("bad", "2023-09-30", 0),
        ("worse later", "2023-06-30", 0), ("worse later", "2024-01-16", 120),
        ("young", "2024-06-30", 10),
        ("young and bad", "2024-06-30", 91),
    ],
    columns=["loan", "month", "dpd"],
)  # fmt: skip


def options(**changes: Any) -> DelinquencyOptions:
    names = {"key": "loan", "opened": "opened", "date": "month", "overdue": "dpd"}
    files = {"applications": "loans.csv", "payments": "payments.parquet"}
    return DelinquencyOptions(**(names | files | changes))


def outcomes(loans: pd.DataFrame, payments: pd.DataFrame, **changes: Any) -> list[float | None]:
    wanted = options(**changes)
    found = matured_outcome(Columns(loans, "loans"), Columns(payments, "payments"), wanted)
    return [None if np.isnan(value) else float(value) for value in found]


def test_an_outcome_counts_when_the_window_has_passed() -> None:
    assert outcomes(LOANS, PAYMENTS) == [0.0, 0.0, 1.0, 0.0, None, None, None]
    assert outcomes(LOANS, PAYMENTS, months=13)[3] == 1.0
    assert outcomes(LOANS, PAYMENTS, days_past_due=59)[1] == 1.0
    assert outcomes(LOANS, PAYMENTS, indeterminate=30)[1] is None
    assert outcomes(LOANS, PAYMENTS, until="2023-12-31") == [None] * 7
    assert outcomes(LOANS, PAYMENTS, months=5, until="2023-07-30")[2] == 0.0
    assert outcomes(LOANS, PAYMENTS, months=7, until="2023-08-31")[2] == 1.0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), months=st.integers(1, 18), unclear=st.booleans())
def test_each_loan_is_judged_as_one_would_by_hand(seed: int, months: int, unclear: bool) -> None:
    random = np.random.default_rng(seed)
    opened = pd.Timestamp("2022-01-31") + pd.to_timedelta(random.integers(0, 500, 12), unit="D")
    loans = pd.DataFrame({"loan": np.arange(12), "opened": opened.astype(str)})
    of = random.integers(0, 12, 60)
    date = opened[of] + pd.to_timedelta(random.integers(0, 600, 60), unit="D")
    payments = pd.DataFrame(
        {"loan": of, "month": date.astype(str), "dpd": random.choice([0, 29, 60, 90, 120], 60)}
    )
    expected: list[float | None] = []
    for loan, start in enumerate(opened):
        end = start + pd.DateOffset(months=months)
        own = payments[(of == loan) & (date <= end)]["dpd"]
        if end > date.max() or own.empty:
            expected.append(None)
        elif (own >= 90).any():
            expected.append(1.0)
        elif unclear and own.max() >= 30:
            expected.append(None)
        else:
            expected.append(0.0)
    changes: dict[str, Any] = {"indeterminate": 30} if unclear else {}
    assert outcomes(loans, payments, months=months, **changes) == expected


@pytest.mark.parametrize(
    ("loans", "payments", "message"),
    [
        ({"loan": "paid"}, {}, r"loans: column 'loan': repeated keys \(6\)"),
        (
            {},
            {"loan": "nobody"},
            r"payments: column 'loan': keys of no application \(11\), the first",
        ),
        (
            {},
            {"month": "2022-12-31"},
            r"payments: column 'month': days before the loan began \(11\)",
        ),
        ({}, {"dpd": -1}, r"payments: column 'dpd': days below 0 \(11\), the first -1 in row 1"),
        ({}, {"dpd": None}, r"payments: column 'dpd': missing values \(11\)"),
        ({"opened": "soon"}, {}, r"loans: column 'opened': values that are no time \(7\)"),
    ],
)
def test_what_cannot_be_is_refused_with_its_row(
    loans: dict[str, Any], payments: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        outcomes(LOANS.assign(**loans), PAYMENTS.assign(**payments))


def test_the_reader_joins_files_and_describes_the_target(tmp_path: Path) -> None:
    LOANS.to_csv(tmp_path / "loans.csv", index=False)
    PAYMENTS.to_parquet(tmp_path / "payments.parquet")
    wanted = options(indeterminate=30, until="2024-06-30")
    table = DelinquencyReader().read(wanted, tmp_path)
    assert list(table.columns) == ["loan", "opened", "bad"]
    assert table["bad"].sum() == 1.0
    assert DelinquencyReader().describe(wanted) == (
        "loans.csv with bad: 90 or more days past due within 12 months, unknown from 30 days on, "
        "observed until 2024-06-30, by payments.parquet"
    )
    with pytest.raises(DataError, match="no column 'dpdd'; did you mean 'dpd'"):
        DelinquencyReader().read(options(overdue="dpdd"), tmp_path)
    with pytest.raises(InvalidRecordError, match="indeterminate 90 is not below days_past_due 90"):
        options(indeterminate=90)
