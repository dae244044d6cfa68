"""A quarter of daily scores: what is seen, what is raised, and the page that shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from scipy.stats import ks_2samp

from loopcast.api import DataError
from loopcast.cli.monitor import monitor
from loopcast.cli.stability import stability
from loopcast.develop.score.metrics import loopcast_metrics
from loopcast.monitor.observed import numbers
from loopcast.monitor.served import Watched
from loopcast.monitor.watch import Report, watch
from loopcast.store.events import EventLog
from loopcast.store.home import Home, open_home
from loopcast.store.truth import truth_table
from loopcast.web.monitor.page import render

from .versions import MODEL, START, chance, people, scored, train

DAYS, ROWS = 56, 100
CHANGE = 28


def live(home: Home, version: str, *, shift: float, days: range) -> None:
    """Score people day by day; their incomes shift, and what is true of them with it."""
    noise = np.random.default_rng(days.start + 1)
    truths = []
    for day in days:
        inputs = people(noise, ROWS, shift)
        events = scored("", version, day, inputs)
        home.record(events, MODEL)
        said = chance(inputs)
        happened = noise.random(ROWS) < (said if not shift else 1.0 - said)
        late = START + timedelta(days=day + 21)
        truths.append(truth_table(key=events["key"], value=happened, observed=late))
    home.truth.add("credit", pa.concat_tables(truths))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = open_home(tmp_path_factory.mktemp("home"))
    version = train(home, [""], rows=3_000)[""]
    live(home, version, shift=0.0, days=range(CHANGE))
    live(home, version, shift=1.5, days=range(CHANGE, DAYS))
    yield home
    home.catalog.close()


def look(home: Home, first: int, last: int) -> Report:
    watched = Watched(
        model=MODEL,
        segment="",
        start=START + timedelta(days=first),
        end=START + timedelta(days=last),
        metrics=[m for m in loopcast_metrics() if m.name in ("brier", "auc")],
    )
    return watch(watched, home, START + timedelta(days=last))


def test_a_quiet_month_is_quiet(home: Home) -> None:
    report = look(home, 0, CHANGE)
    assert report.found == ()
    assert report.drift is not None
    assert {d.subject for d in report.drift.records} == {"income", "town", "probability"}
    assert {d.subset for d in report.drift.records} == {"", "town=a", "town=b"}
    assert report.coverage.labelled == CHANGE * ROWS
    assert report.registered is not None


def test_performance_is_known_by_subpopulation(home: Home) -> None:
    report = look(home, 0, CHANGE)
    towns = {p.subset: p for p in report.performance if p.subset and p.metric == "brier"}
    assert towns.keys() == {"town=a", "town=b"}
    assert sum(p.labelled for p in towns.values()) == CHANGE * ROWS
    for town in towns.values():
        assert town.low is not None
        assert town.high is not None
        assert report.registered is not None
        assert town.low < report.registered < town.high
    assert "brier by town" in render(report, ())


def test_a_shift_is_found_with_what_it_did(home: Home) -> None:
    report = look(home, CHANGE, DAYS)
    kinds = {(alert.kind, alert.subject) for alert in report.found}
    assert kinds == {
        ("input_drift", "income"),
        ("output_drift", "probability"),
        ("performance", "brier"),
        ("calibration", ""),
    }
    whole = look(home, 0, DAYS)
    assert whole.drift is not None
    income = whole.drift.measured.names.index("income")
    assert len(whole.drift.windows) == 8
    assert (whole.drift.window_ks[:4, income] < 0.1).all()
    assert (whole.drift.window_ks[4:, income] > 0.4).all()


def test_stability_is_told_by_the_limits_of_the_industry(home: Home) -> None:
    options = ["--home", str(home.folder), "-m", "credit", "--since", "2026-02-02"]
    options += ["--until", "2026-03-02"]
    told = CliRunner().invoke(stability, options, catch_exceptions=False)
    assert told.exit_code == 0, told.output
    assert "population" in told.output
    assert "shifted" in told.output
    assert "characteristic  town" not in told.output  # which is stable
    found = json.loads(CliRunner().invoke(stability, [*options, "--json"]).output)
    by_name = {one["name"]: one for one in found}
    assert by_name["income"]["psi"] > 1.0
    assert by_name["probability"]["of"] == "population"
    assert by_name["town"]["verdict"] == "stable"
    ahead = [*options[:4], "--since", "2026-03-20", "--until", "2026-03-21"]
    none = CliRunner().invoke(stability, ahead)
    assert "no predictions from 2026-03-20 to 2026-03-20" in str(none.exception)
    assert "a day counts once it is over" in str(none.exception)
    wrong = CliRunner().invoke(stability, [*options, "--shifted", "0.05"])
    assert "--shifted 0.05 is below --shifting 0.1" in wrong.output


def test_months_add_up_from_counted_days(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = home.events.read("credit", START, START + timedelta(days=DAYS))
    look(home, 0, DAYS)  # counts the days
    asked: list[Sequence[str]] = []
    read = EventLog.read

    def noted(store: EventLog, *where: Any, columns: Sequence[str], **who: Any) -> pa.Table:
        asked.append(columns)
        return read(store, *where, columns=columns, **who)

    monkeypatch.setattr(EventLog, "read", noted)
    report = look(home, 0, DAYS)
    assert asked
    assert not any("inputs" in columns for columns in asked)
    assert [counts.tolist() for counts in report.volume.values()] == [[ROWS] * DAYS]
    assert report.drift is not None
    measured = report.drift.measured
    income = measured.names.index("income")
    training = people(np.random.default_rng(0), 3_000)["income"]
    exact = ks_2samp(training, numbers(raw["inputs"], "income")).statistic
    assert measured.ks[0, income] <= exact <= measured.ks_high[0, income]


def test_today_counts_before_it_is_over(home: Home) -> None:
    watched = Watched(
        model=MODEL, segment="", start=START, end=START + timedelta(days=CHANGE), metrics=()
    )
    noon = START + timedelta(days=CHANGE - 1, hours=12)
    report = watch(watched, home, noon)
    [volume] = report.volume.values()
    assert volume[-1] == ROWS
    assert report.found == (), "the volume of a day is judged when it is over"


def test_a_missing_day_is_noticed(home: Home) -> None:
    report = look(home, 0, DAYS + 1)
    assert [a.severity for a in report.found if a.kind == "volume"] == ["critical"]


def test_a_divided_month_has_its_whole_volume_and_the_champions_drift(tmp_path: Path) -> None:
    """Half of it is answered by a challenger, whose last event is the last of all."""
    home = open_home(tmp_path)
    other = train(home, [""], rows=500)[""]
    champion = train(home, [""], rows=600)[""]
    noise = np.random.default_rng(0)
    for day in range(CHANGE):
        for role, version, hour in (("champion", champion, 0), ("challenger", other, 3)):
            inputs = people(noise, ROWS // 2)
            at = START + timedelta(days=day, hours=9 + hour)
            key = [f"{role}-{day}-{row}" for row in range(ROWS // 2)]
            more: dict[str, Any] = {"role": role, "time": at, "key": key, "propensity": 0.5}
            home.record(scored("", version, day, inputs, **more), MODEL)
    report = look(home, 0, CHANGE)
    home.catalog.close()
    assert {name: set(counts) for name, counts in report.volume.items()} == {
        champion: {ROWS // 2}, other: {ROWS // 2},
    }  # fmt: skip
    assert report.version is not None
    assert report.version.id == champion


def test_a_new_version_does_not_answer_for_the_scores_of_the_one_before(tmp_path: Path) -> None:
    """For two weeks the event happens to all; since the release, as often as scores say."""
    home = open_home(tmp_path)
    first = train(home, [""], rows=500)[""]
    second = train(home, [""], rows=600, at=START + timedelta(days=14))[""]
    noise = np.random.default_rng(0)
    for day in range(CHANGE):
        inputs = people(noise, ROWS)
        events = scored("", first if day < 14 else second, day, inputs)
        home.record(events, MODEL)
        happened = noise.random(ROWS) < (1.0 if day < 14 else chance(inputs))
        known = START + timedelta(days=day, hours=20)
        home.truth.add("credit", truth_table(key=events["key"], value=happened, observed=known))
    before, after = look(home, 0, 14), look(home, 0, CHANGE)
    home.catalog.close()
    assert "calibration" in {alert.kind for alert in before.found}
    assert after.calibration is not None
    assert after.calibration.outcomes == 14 * ROWS
    assert "calibration" not in {alert.kind for alert in after.found}


def test_nothing_to_look_at(home: Home) -> None:
    with pytest.raises(DataError, match="credit has no events from 2026-04"):
        look(home, 100, 110)


def test_the_page_needs_nothing_else(home: Home) -> None:
    report = look(home, 0, DAYS)
    page = render(report, report.found)
    assert "http://" not in page.replace("http://www.w3.org", "")
    for words in ("Predictions a day", "brier, the KPI", "Distance from the training", "champion"):
        assert words in page
    assert render(report, ()) != page
    assert "No alert is open." in render(report, ())


def test_the_command_raises_delivers_and_is_quiet_afterwards(home: Home, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    options = ["--home", str(home.folder), "-m", "credit", "--since", "2026-02-02"]
    options += ["--until", "2026-03-02", "--page", str(page)]
    first = CliRunner().invoke(monitor, options, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    assert "brier is" in first.output
    assert "2,800 predictions from 2026-02-02 until 2026-03-02" in first.output
    assert page.exists()
    alert = next(line for line in first.output.splitlines() if "brier is" in line).split()[0]
    known = CliRunner().invoke(monitor, [*options[:4], "--acknowledge", alert, "--by", "eva"])
    assert "eva knows of" in known.output
    again = CliRunner().invoke(monitor, options, catch_exceptions=False)
    assert again.output.splitlines()[-6:-3] != []
    assert "eva" in again.output


class TestOddDays:
    """Days that a quiet month would hide, each by its stated rule."""

    @pytest.fixture
    def odd(self, tmp_path: Path) -> Iterator[tuple[Home, str]]:
        home = open_home(tmp_path)
        version = train(home, [""], rows=3_000)[""]
        live(home, version, shift=0.0, days=range(20))
        yield home, version
        home.catalog.close()

    def test_absurd_values_are_told_and_drown_in_the_month(self, odd: tuple[Home, str]) -> None:
        home, version = odd
        inputs = people(np.random.default_rng(99), ROWS)
        inputs["income"][:30], inputs["income"][30:45] = 1e12, np.inf
        outputs = {"probability": np.full(ROWS, 0.5)}
        home.record(scored("", version, 20, inputs, outputs=outputs), MODEL)
        report = look(home, 0, 21)
        told = {alert.kind: alert for alert in report.found}
        assert told.keys() == {"bad_day"}
        assert told["bad_day"].subject == "income"
        assert "of 2026-01-25" in told["bad_day"].cause
        assert look(home, 0, 20).found == ()

    def test_a_day_that_is_logged_twice_counts_once(self, odd: tuple[Home, str]) -> None:
        home, version = odd
        inputs = people(np.random.default_rng(20), ROWS)
        for source in ("batch", "replayed"):
            home.record(scored("", version, 20, inputs, source=source), MODEL)
        home.record(scored("", version, 20, inputs, role="shadow", propensity=0.0), MODEL)
        report = look(home, 0, 21)
        assert report.repeated == ROWS
        assert report.actions == {"served": 21 * ROWS}
        assert sum(report.volume[version]) == 21 * ROWS
        [alert] = report.found
        assert (alert.kind, alert.subject) == ("bad_day", "repeated events")
        assert report.performance[0].predictions == 21 * ROWS

    def test_a_clock_that_runs_ahead_is_noticed(self, odd: tuple[Home, str]) -> None:
        home, version = odd
        home.record(scored("", version, 25, people(np.random.default_rng(1), 10)), MODEL)
        watched = Watched(
            model=MODEL, segment="", start=START, end=START + timedelta(days=30),
            metrics=loopcast_metrics(),
        )  # fmt: skip
        report = watch(watched, home, START + timedelta(days=20, hours=2))
        assert report.ahead == 10
        assert report.found == ()
        assert "10 events bear a time that has not come" in render(report, ())

    def test_truth_of_what_was_never_predicted(self, odd: tuple[Home, str]) -> None:
        home, _ = odd
        observed = START + timedelta(days=19, hours=12)
        home.truth.add("credit", truth_table(key=["x", "y"], value=[0.0, 1.0], observed=observed))
        report = look(home, 0, 20)
        [alert] = report.found
        assert (alert.kind, alert.severity) == ("missing_predictions", "critical")
        assert "2 of 2 expected predictions of 2026-01-24 are missing" in alert.cause
        assert report.coverage.labelled == report.coverage.predictions == 20 * ROWS
