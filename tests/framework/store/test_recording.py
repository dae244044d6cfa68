"""What is logged: shares by rule that weights undo, and nothing personal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import (
    Feature,
    InvalidRecordError,
    Kpi,
    LogicalModel,
    LogSettings,
    SamplingRule,
    ScoreSchema,
    StoreError,
)
from loopcast.store.events import event_table
from loopcast.store.home import open_home
from loopcast.store.recording import keyed, recorded, sample, uniform

from .builders import NOON

SECRET = b"0123456789abcdef"


def model(*, log: LogSettings | None = None, private_key: bool = False) -> LogicalModel:
    features = {
        "income": Feature(kind="numeric"),
        "name": Feature(kind="category", pii="hash"),
        "phone": Feature(kind="numeric", pii="drop"),
    }
    schema = ScoreSchema(
        key="id", target="bad", event=1, features=features, private_key=private_key
    )
    return LogicalModel(
        name="credit",
        title="t",
        owner="o",
        kpi=Kpi(metric="auc"),
        schema=schema,
        log=log or LogSettings(),
    )


def events(count: int, **changes: Any) -> pa.Table:
    plain: dict[str, Any] = {
        "key": [f"k{i}" for i in range(count)],
        "time": NOON,
        "logical_model": "credit",
        "segment": "",
        "version": "0" * 16,
        "role": "champion",
        "outputs": {"probability": np.linspace(0, 1, count)},
    }
    return event_table(**(plain | changes))


class TestSampling:
    def test_everything_without_a_rule(self) -> None:
        assert sample(events(5), model()).equals(events(5))

    def test_the_first_rule_that_fits(self) -> None:
        actions = ["served", "refused"] * 5_000
        rules = (SamplingRule(share=1.0, action="refused"), SamplingRule(share=0.2))
        kept = sample(events(10_000, action=actions), model(log=LogSettings(sampling=rules)))
        shares = dict(zip(kept["action"].to_pylist(), kept["inclusion"].to_pylist(), strict=True))
        assert shares == {"refused": 1.0, "served": 0.2}
        served = kept["action"].to_pylist().count("served")
        assert kept["action"].to_pylist().count("refused") == 5_000
        assert abs(served - 1_000) < 4 * np.sqrt(5_000 * 0.2 * 0.8)

    def test_weights_undo_it(self) -> None:
        rules = (SamplingRule(share=0.1, segment="a"), SamplingRule(share=0.5))
        values = np.random.default_rng(1).normal(10.0, 1.0, 40_000)
        segments = np.where(np.arange(40_000) % 4 == 0, "b", "a")
        values[segments == "b"] += 10.0
        table = events(40_000, segment=segments, outputs={"probability": values})
        kept = sample(table, model(log=LogSettings(sampling=rules)))
        weight = 1.0 / kept["inclusion"].to_numpy()
        chosen = np.array([dict(row)["probability"] for row in kept["outputs"].to_pylist()])
        assert abs(np.average(chosen, weights=weight) - values.mean()) < 0.3
        assert abs(chosen.mean() - values.mean()) > 1.5, "without weights it is far off"
        assert abs(weight.sum() / 40_000 - 1.0) < 0.05

    def test_all_events_of_a_key_or_none_in_any_batch(self) -> None:
        settings = model(log=LogSettings(sampling=(SamplingRule(share=0.3),)))
        whole = set(sample(events(1_000), settings)["key"].to_pylist())
        parts = [
            sample(events(1_000).slice(start, 100), settings) for start in range(0, 1_000, 100)
        ]
        assert {key for part in parts for key in part["key"].to_pylist()} == whole

    def test_labelling_is_chosen_apart_from_sampling(self) -> None:
        log = LogSettings(sampling=(SamplingRule(share=0.5),), labelling=(SamplingRule(share=0.5),))
        kept = sample(events(20_000), model(log=log))
        chosen = kept["labelling"].to_numpy()
        assert set(chosen) == {0.0, 0.5}
        assert abs((chosen > 0).mean() - 0.5) < 0.03

    @given(st.lists(st.text(), min_size=1, max_size=20))
    def test_a_key_has_one_number(self, keys: list[str]) -> None:
        numbers = uniform(pa.array(keys, pa.string()), "inclusion")
        assert ((numbers >= 0) & (numbers < 1)).all()
        again = uniform(pa.chunked_array([pa.array(keys[::-1], pa.string())]), "inclusion")
        assert (again[::-1] == numbers).all()


class TestPrivacy:
    @pytest.fixture
    def table(self) -> pa.Table:
        return events(
            3,
            inputs={"income": [1.0, 2.0, 3.0], "phone": [5e9, 6e9, 7e9], "name": ["x", "y", "x"]},
            explanation={"income": np.ones(3), "phone": np.ones(3)},
        )

    def written(self, table: pa.Table, **changes: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = recorded(table, model(**changes), lambda: SECRET).to_pylist()
        return rows

    def test_hashed_and_dropped(self, table: pa.Table) -> None:
        rows = self.written(table)
        assert [dict(row["inputs"]) for row in rows] == [{"income": i} for i in (1.0, 2.0, 3.0)]
        names = [dict(row["input_texts"])["name"] for row in rows]
        assert names[0] == names[2] != names[1]
        assert all(len(name) == 32 for name in names)
        assert {tuple(dict(row["explanation"])) for row in rows} == {("income",)}
        assert [row["key"] for row in rows] == ["k0", "k1", "k2"]

    def test_nothing_bare_is_left_in_a_slice_or_a_number(self, table: pa.Table) -> None:
        rows = self.written(table.slice(1, 1))
        assert dict(rows[0]["inputs"]) == {"income": 2.0}
        assert dict(rows[0]["input_texts"])["name"] not in ("x", "y")
        odd = events(2, inputs={"name": [17.0, 18.0], "income": [1.0, 2.0]})
        assert dict(self.written(odd)[1]["inputs"]) == {"income": 2.0}

    def test_missing_values_stay_missing(self) -> None:
        rows = self.written(events(2, inputs={"name": ["x", None], "income": [1.0, np.nan]}))
        assert dict(rows[1]["input_texts"])["name"] is None
        assert dict(rows[1]["inputs"])["income"] is None

    def test_a_private_key_is_hashed_as_that_of_the_truth(self, table: pa.Table) -> None:
        rows = self.written(table, private_key=True)
        expected = keyed(pa.array(["k0", "k1", "k2"]), "key", SECRET).to_pylist()
        assert [row["key"] for row in rows] == expected
        assert keyed(pa.array(["k0"]), "name", SECRET).to_pylist() != expected[:1]
        assert keyed(pa.array(["k0"]), "key", SECRET * 2).to_pylist() != expected[:1]

    def test_a_hashed_number_is_refused(self) -> None:
        with pytest.raises(InvalidRecordError, match=r"pii hash of a numeric.*drop it"):
            Feature(kind="numeric", pii="hash")


class TestSecret:
    def test_is_made_once_for_its_owner(self, tmp_path: Path) -> None:
        secret = open_home(tmp_path).privacy_key
        file = tmp_path / "privacy.key"
        assert open_home(tmp_path).privacy_key == secret == file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0

    def test_comes_from_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOOPCAST_PRIVACY_KEY", "a-secret-of-a-good-length")
        assert open_home(tmp_path).privacy_key == b"a-secret-of-a-good-length"
        assert not (tmp_path / "privacy.key").exists()
        monkeypatch.setenv("LOOPCAST_PRIVACY_KEY", "short")
        with pytest.raises(StoreError, match="LOOPCAST_PRIVACY_KEY has 5 characters") as error:
            _ = open_home(tmp_path).privacy_key
        assert "short;" not in str(error.value)
