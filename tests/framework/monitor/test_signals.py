"""What else is watched: found where it is wrong, and quiet where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner

from loopcast.api import (
    BusinessKpi,
    ForecastOutcome,
    ForecastSchema,
    InvalidRecordError,
    Kpi,
    LogicalModel,
    Release,
    Site,
)
from loopcast.cli.monitor import monitor
from loopcast.monitor.alerts import AlertBook
from loopcast.monitor.business import KpiCourse, base_releases, business_kpis
from loopcast.monitor.intervals import IntervalCoverage, interval_coverage
from loopcast.monitor.missing import missing_answers, missing_forecasts
from loopcast.monitor.performance import labelled_events
from loopcast.monitor.resources import health
from loopcast.monitor.signals import (
    Subject,
    of_bad_day,
    of_business,
    of_health,
    of_intervals,
    of_missing,
    of_strange,
)
from loopcast.monitor.strange import strange_outcomes
from loopcast.store.events import event_table
from loopcast.store.home import open_home
from loopcast.store.truth import join, truth_table

from .versions import MODEL as CREDIT
from .versions import START, people, scored

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZONE = "Europe/Paris"
SCHEMA = ForecastSchema(unit="MW", step="1h", timezone=ZONE, sites={"paris": Site(timezone=ZONE)})
MODEL = LogicalModel(name="load", title="Load", owner="o", kpi=Kpi(metric="mae"), schema=SCHEMA)
OF = Subject(logical_model="load", segment="", at=NOON)


def forecasts(days: int, noise: np.random.Generator, spread: float = 1.0) -> tuple[pa.Table, Any]:
    """Day-ahead forecasts whose 90 % intervals are right for errors of spread 1; what came true."""
    first = pd.Timestamp("2026-01-01", tz=ZONE)
    starts = pd.date_range(first, periods=days * 24, freq="1h").tz_convert("UTC")
    origin = np.repeat(starts[::24], 24)[: len(starts)]
    keys = [f"total|1h|{start:%Y-%m-%dT%H:%M:%SZ}" for start in starts]
    shared = np.repeat(noise.normal(size=days), 24)
    errors = spread * (0.6 * shared + 0.8 * noise.normal(size=len(starts)))
    outputs = {name: np.full(len(starts), q) for name, q in
               {"mean": 0.0, "0.05": -1.6449, "0.5": 0.0, "0.95": 1.6449}.items()}  # fmt: skip
    events = event_table(
        key=keys, time=origin, logical_model="load", segment="", version="0" * 16,
        role="champion", outputs=outputs,
    )  # fmt: skip
    return events, truth_table(key=keys, value=errors, observed=NOON)


def coverage(days: int, seed: int, spread: float = 1.0) -> IntervalCoverage:
    events, truth = forecasts(days, np.random.default_rng(seed), spread)
    [found] = interval_coverage(labelled_events(join(events, truth), MODEL))
    return found


class TestIntervals:
    def test_what_was_promised_is_held(self) -> None:
        found = [coverage(90, seed) for seed in range(40)]
        assert found[0].nominal == pytest.approx(0.9)
        assert np.mean([f.realised for f in found]) == pytest.approx(0.9, abs=0.005)
        assert sum(f.broken(0.02) for f in found) <= 1
        inside = sum(f.low <= 0.9 <= f.high for f in found)
        assert inside >= 34, "of 40 intervals of 95 %"

    def test_errors_that_have_grown_break_the_promise(self) -> None:
        found = coverage(90, 0, spread=2.0)
        assert found.broken(0.05)
        [alert] = of_intervals(OF, [found], 0.05)
        assert alert.cause.startswith("the intervals of 90% held 60.2%")
        assert list(of_intervals(OF, [found], float("inf"))) == []

    def test_a_realised_share_is_one_between_zero_and_one(self) -> None:
        few = [coverage(4, seed) for seed in range(20)]
        assert all(found.low >= 0.0 and found.high <= 1.0 for found in few)
        assert any(found.high == 1.0 for found in few)

    def test_a_few_days_cannot_tell(self) -> None:
        assert not coverage(2, 0, spread=3.0).broken(0.05)


class TestMissing:
    until = pd.Timestamp("2026-04-01", tz="UTC")

    def test_nothing_is_missing_over_a_change_of_the_clocks(self) -> None:
        events, _ = forecasts(120, np.random.default_rng(0))
        found = missing_forecasts(events, SCHEMA, self.until)
        assert found.missing.sum() == 0
        assert found.expected[1:-1].tolist() == [24] * (len(found.days) - 2)
        assert list(of_missing(OF, found, 0.01)) == []

    def test_a_series_that_stops_and_hours_that_fail(self) -> None:
        events, _ = forecasts(60, np.random.default_rng(0))
        other = pd.Series(events["key"].to_pandas()).str.replace("total", "north")
        kept = np.r_[24:40, 43:500]  # it begins a day later, and three hours are lost
        north = events.set_column(0, events.schema.field(0), pa.array(other, pa.string()))
        events = pa.concat_tables([events, north.take(pa.array(kept))])
        found = missing_forecasts(events, SCHEMA, pd.Timestamp("2026-02-01", tz="UTC"))
        begun = pd.Timestamp("2026-01-01", tz=ZONE).tz_convert("UTC")
        hours = int((pd.Timestamp("2026-02-01", tz="UTC") - begun) / pd.Timedelta(hours=1))
        assert found.examples == {"north": 3 + hours - 500}
        assert found.missing.sum() == 3 + hours - 500
        [alert] = of_missing(OF, found, 0.01)
        assert alert.cause == (
            "24 of 48 expected predictions of 2026-01-31 are missing, such as those of north"
        )

    def test_silence_is_missing_too(self) -> None:
        events, _ = forecasts(10, np.random.default_rng(0))
        found = missing_forecasts(events, SCHEMA, pd.Timestamp("2026-01-20", tz="UTC"))
        assert found.share == 1.0
        [alert] = of_missing(OF, found, 0.01)
        assert alert.severity == "critical"

    def test_outcomes_of_nobody_who_was_scored(self) -> None:
        events = scored("", "0" * 16, 0, people(np.random.default_rng(0), 8))
        keys = [*events["key"].to_pylist(), "unknown-1", "unknown-2"]
        truth = truth_table(key=keys, value=np.zeros(10), observed=NOON)
        found = missing_answers(events, truth)[""]
        assert (found.share, set(found.examples)) == (0.2, {"unknown-1", "unknown-2"})
        assert missing_answers(events, truth.slice(0, 0)) == {}


class TestBusiness:
    days = pd.date_range(START, periods=42, freq="D")

    def course(
        self, seed: int, fall: float, *, since: int = 35, shown: int = 42, **kpi: Any
    ) -> KpiCourse:
        noise = np.random.default_rng(seed)
        parts = []
        for day in range(len(self.days)):
            inputs = people(noise, 60, 0.0 if day < since else fall)
            parts.append(scored("", "0" * 16, day, inputs))
        events = join(pa.concat_tables(parts), truth_table(key=[], value=[], observed=NOON))
        usual: dict[str, Any] = {"of": "input.income", "statistic": "share", "above": 0.0}
        watch = {"solvent": BusinessKpi(**(usual | kpi))}
        model = msgspec.structs.replace(CREDIT, watch=watch)
        released = {"": self.days[0].date()}
        [found] = business_kpis(events, model, self.days[-shown:], released)[""]
        return found

    def test_a_week_that_is_worse_is_told(self) -> None:
        found = self.course(0, -1.0)
        assert found.before == pytest.approx(0.5, abs=0.05)
        assert found.recent == pytest.approx(0.16, abs=0.05)
        [alert] = of_business(OF, [found], 0.1)
        assert alert.cause.startswith("solvent is 0.1")
        assert list(of_business(OF, [self.course(0, -1.0, direction="lower")], 0.1)) == []

    def test_an_outcome_is_whether_the_event_happened_and_counts_by_its_chance(self) -> None:
        """One in four of the poor and all of the rich were chosen to be labelled."""
        noise = np.random.default_rng(0)
        inputs = people(noise, 4000)
        rich = inputs["income"] > 0.0
        bad = noise.random(4000) < np.where(rich, 0.1, 0.5)
        chosen = rich | (noise.random(4000) < 0.25)
        share = np.where(chosen, np.where(rich, 1.0, 0.25), 0.0)
        events = scored("", "0" * 16, 0, inputs, labelling=share)
        truth = truth_table(
            key=events["key"].to_pylist(), value=np.where(bad, "bad", "good"), observed=NOON
        )
        schema = msgspec.structs.replace(CREDIT.schema, event="bad")
        watch = {"losses": BusinessKpi(of="outcome", direction="lower")}
        model = msgspec.structs.replace(CREDIT, schema=schema, watch=watch)
        day = self.days[:1]
        [found] = business_kpis(join(events, truth), model, day, {"": day[0].date()})[""]
        assert found.values[0] == pytest.approx(bad.mean(), abs=0.02)
        assert bad[chosen].mean() < bad.mean() - 0.05, "unweighted it would be another number"

    def test_unchanged_weeks_are_not(self) -> None:
        alarms = sum(self.course(seed, 0.0).worse(0.02) for seed in range(40))
        assert alarms <= 2

    def test_a_step_of_weeks_ago_is_not_forgotten(self) -> None:
        found = self.course(0, -1.0, since=15)
        assert found.before == pytest.approx(0.5, abs=0.05)
        assert found.worse(0.1)
        agreed = self.course(0, -1.0, since=0, registered=0.5)
        assert (agreed.before, agreed.worse(0.1)) == (0.5, True)
        assert not self.course(0, 0.0, registered=0.5).worse(0.1)
        assert not self.course(0, -1.0, since=0).worse(0.1), "as it was after the release"

    def test_first_days_before_the_span_count(self) -> None:
        found = self.course(0, -1.0, since=20, shown=12)
        assert len(found.values) == 12
        assert found.before > 0.4
        assert found.worse(0.1)

    def test_the_release_that_later_days_are_compared_with(self) -> None:
        days = (0, 30, 55)
        history = [
            Release(
                logical_model="credit", segment="", version=f"{day:016d}", stage="champion",
                since=START + timedelta(days=day), by="eva", reason="r",
            )
            for day in days
        ]  # fmt: skip
        for end, base in ((60, 30), (10, 0), (90, 55)):
            found = base_releases(history, START + timedelta(days=end))
            assert found == {"": (START + timedelta(days=base)).date()}

    def test_sums_of_texts_and_of_what_never_came(self) -> None:
        towns = self.course(1, 0.0, of="input.town", above=None, equal="a")
        assert np.nanmean(towns.values) == pytest.approx(0.5, abs=0.05)
        total = self.course(1, 0.0, statistic="sum", above=None)
        assert abs(np.nanmean(total.values)) < 5.0
        served = self.course(1, 0.0, of="action", above=None, equal="served")
        assert (served.values == 1.0).all()
        assert np.isnan(
            self.course(1, 0.0, of="outcome", statistic="mean", above=None).values
        ).all()

    def test_a_kpi_that_means_nothing_is_refused(self) -> None:
        wrongs: list[dict[str, Any]] = [{"statistic": "share"}, {"above": 1.0}, {"of": "action"}]
        for wrong in wrongs:
            with pytest.raises(InvalidRecordError):
                BusinessKpi(**({"of": "output.mean"} | wrong))
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"of": "income"}, BusinessKpi)


class TestBadDay:
    def test_repeated_events(self) -> None:
        [alert] = of_bad_day(OF, NOON, [], 0.3, 0.05)
        assert alert.cause.startswith("30.0% of the events of 2026-03-01 repeat another")
        assert list(of_bad_day(OF, NOON, [], 0.01, 0.05)) == []


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    home = open_home(tmp_path)
    home.catalog.put_logical_model(CREDIT)
    for day in range(10):
        home.events.append(scored("", "0" * 16, day, people(np.random.default_rng(day), 5)))
    yield tmp_path
    home.catalog.close()


class TestResources:
    def wrong(self, folder: Path, *, free: float = 1e-6, hours: float = 20.0) -> list[str]:
        at = START + timedelta(days=9, hours=9 + hours)
        return [
            each.name for each in health(open_home(folder), "credit", at, free=free) if each.wrong
        ]

    def test_all_is_well(self, folder: Path) -> None:
        found = health(open_home(folder), "credit", START + timedelta(days=10), free=1e-6)
        assert [each.name for each in found] == ["disk", "event log", "last batch"]
        assert found[1].value > 1_000
        assert not any(each.wrong for each in found)

    def test_a_full_disk_and_a_batch_that_is_late(self, folder: Path) -> None:
        assert self.wrong(folder, free=0.9999999) == ["disk"]
        assert self.wrong(folder, hours=35.0) == []
        assert self.wrong(folder, hours=37.0) == ["last batch"]

    def test_two_days_do_not_tell_how_often_batches_come(self, tmp_path: Path) -> None:
        home = open_home(tmp_path)
        for day in range(2):
            home.events.append(scored("", "0" * 16, day, people(np.random.default_rng(day), 5)))
        found = health(home, "credit", START + timedelta(days=9), free=1e-6)
        assert [each.name for each in found] == ["disk", "event log"]
        home.catalog.close()

    def test_a_database_that_does_not_answer_is_told_by_the_other_ways(self, folder: Path) -> None:
        options = ["--home", str(folder), "--catalog", "postgresql+psycopg://127.0.0.1:1/none"]
        done = CliRunner().invoke(monitor, [*options, "-m", "credit", "--notify", "log"])
        assert done.exit_code != 0
        assert "nothing else was looked at" in str(done.exception)
        [alert] = AlertBook(f"{folder}/alerts").open("credit")
        assert (alert.kind, alert.subject, alert.severity) == ("resources", "database", "critical")
        assert alert.delivered == ("log",)

    def test_an_alert_names_what_is_wrong(self, folder: Path) -> None:
        at = START + timedelta(days=30)
        [alert] = of_health(OF, health(open_home(folder), "credit", at, free=1e-6))
        assert alert.subject == "last batch"
        assert "where the longest pause was 24.0 hours" in alert.cause


class TestStrangeOutcomes:
    def test_a_day_in_another_unit_is_said_with_its_worst_outcome(self) -> None:
        events, truth = forecasts(30, np.random.default_rng(0))
        errors = truth["value"].to_numpy().copy()
        errors[-24:] *= 1000.0
        poisoned = truth.set_column(truth.column_names.index("value"), "value", pa.array(errors))
        labelled = labelled_events(join(events, poisoned), MODEL)
        found = strange_outcomes(labelled, 0.05)
        assert found is not None
        assert (found.days, found.last) == (1, datetime(2026, 1, 29, tzinfo=UTC))
        assert found.outcomes == 24
        outside = np.abs(errors[-24:]) - 1.6449
        assert found.strange == (outside > 10.0 * 2.0 * 1.6449).sum()
        assert found.actual == errors[-24:][np.argmax(outside)]
        assert found.predicted == 0.0
        [alert] = of_strange(OF, found)
        assert alert.subject == "outcomes"
        assert f"{found.strange} of 24 outcomes of the predictions of one day" in alert.cause
        assert strange_outcomes(labelled, float("inf")) is None
        assert list(of_strange(OF, None)) == []

    def test_errors_as_large_as_ever_and_single_freaks_are_none(self) -> None:
        events, truth = forecasts(90, np.random.default_rng(1), spread=3.0)
        assert strange_outcomes(labelled_events(join(events, truth), MODEL), 0.05) is None
        errors = truth["value"].to_numpy().copy()
        errors[100] = 1e6
        freak = truth.set_column(truth.column_names.index("value"), "value", pa.array(errors))
        assert strange_outcomes(labelled_events(join(events, freak), MODEL), 0.05) is None

    def test_what_promises_no_interval_has_none(self) -> None:
        labelled = labelled_events(join(*forecasts(3, np.random.default_rng(2))), MODEL)
        assert isinstance(labelled.outcome, ForecastOutcome)
        outcome = replace(labelled.outcome, quantiles=np.empty((72, 0)), levels=np.empty(0))
        bare = replace(labelled, outcome=outcome)
        assert strange_outcomes(bare, 0.05) is None
