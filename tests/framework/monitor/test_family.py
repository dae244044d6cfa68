"""A family in one look: each segment by what happened to it, and hardly a false alarm."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from loopcast.api import DataError, Experiment, ExperimentStep, NotFoundError
from loopcast.cli.monitor import monitor
from loopcast.develop.score.metrics import loopcast_metrics
from loopcast.monitor.alerts import AlertBook
from loopcast.monitor.counting import count_days
from loopcast.monitor.daily import daily_sketches
from loopcast.monitor.family import FamilyReport, FamilyWatched, SegmentReport, watch_family
from loopcast.store.home import Home, open_home
from loopcast.store.truth import truth_table
from loopcast.web.monitor.family import render

from .versions import MODEL, START, chance, people, scored, train

DAYS, ROWS = 40, 30
SEGMENTS = tuple(f"s{i:02d}" for i in range(20))
FIRST = START.date()
LAST = (START + timedelta(days=DAYS - 1)).date()
NOW = START + timedelta(days=DAYS, hours=8)


def live(home: Home, versions: dict[str, str]) -> None:
    """Let all segments score people for forty days; to some of them something happens."""
    events, truths = [], []
    for number, (segment, version) in enumerate(versions.items()):
        noise = np.random.default_rng(number)
        for day in range(DAYS):
            if segment == "s03" and day == DAYS - 1:  # falls silent
                continue
            shift = 1.5 if segment == "s05" and day >= 20 else 0.0
            inputs = people(noise, ROWS, shift)
            if segment == "s07":  # only those of one town have changed
                inputs["income"] += np.where(inputs["town"] == "b", 0.0, 0.35)
            happened = noise.random(ROWS) < chance(inputs)
            if segment == "s09":
                happened = ~happened
            events.append(scored(segment, version, day, inputs))
            keys = [f"{segment}-{day}-{i}" for i in range(ROWS)]
            late = START + timedelta(days=day + 7)
            truths.append(truth_table(key=keys, value=happened, observed=late, segment=segment))
    home.events.append(pa.concat_tables(events))
    home.truth.add("credit", pa.concat_tables(truths))
    home.catalog.set_switch(
        "credit", ["s11"], "freeze", by="eva", reason="an audit", at=START
    )  # fmt: skip
    home.catalog.set_switch("credit", ["s12"], "off", by="eva", reason="sold", at=START)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = open_home(tmp_path_factory.mktemp("home"))
    live(home, train(home, SEGMENTS))
    count_days(home, daily_sketches(home), MODEL, NOW)
    yield home
    home.catalog.close()


def look(home: Home, first: date = FIRST, last: date = LAST) -> FamilyReport:
    watched = FamilyWatched(
        model=MODEL,
        first=first,
        last=last,
        kpi=next(m for m in loopcast_metrics() if m.name == "brier"),
    )
    return watch_family(watched, home, daily_sketches(home), NOW)


@pytest.fixture(scope="module")
def report(home: Home) -> FamilyReport:
    return look(home)


def of(report: FamilyReport, segment: str) -> SegmentReport:
    return next(found for found in report.segments if found.segment == segment)


def test_each_segment_by_what_happened_to_it(report: FamilyReport) -> None:
    states: dict[str, Any] = {found.segment: found.state for found in report.segments}
    told = {"s03": "silent", "s09": "worse", "s05": "drifting", "s07": "drifting",
            "s11": "frozen", "s12": "off"}  # fmt: skip
    assert {name: state for name, state in states.items() if state != "quiet"} == told
    assert report.counts == {
        "silent": 1, "worse": 1, "drifting": 2, "frozen": 1, "off": 1, "quiet": 14
    }  # fmt: skip
    assert [found.state for found in report.segments[:3]] == ["silent", "worse", "drifting"]
    assert report.volume[0] == len(SEGMENTS) * ROWS


def test_why(report: FamilyReport) -> None:
    assert of(report, "s03").reason == f"no predictions since {LAST - timedelta(days=1)}"
    assert of(report, "s03").alerts[0].severity == "critical"
    assert "brier is" in of(report, "s09").reason
    assert of(report, "s09").worse
    assert "income" in of(report, "s05").reason
    assert of(report, "s12").reason == f"since {START:%Y-%m-%d}"
    assert of(report, "s00").moved is not None
    assert of(report, "s00").reason == ""


def test_a_subpopulation_that_moves_alone_is_named(report: FamilyReport) -> None:
    found = {(d.subject, d.subset) for d in of(report, "s07").drifts}
    assert ("income", "town=a") in found
    assert ("income", "town=b") not in found
    assert any(alert.subject == "income where town=a" for alert in of(report, "s07").alerts) == (
        ("income", "") not in found
    )


def test_a_family_that_has_not_changed_is_quiet(home: Home) -> None:
    """Ten disjoint spans of twenty segments, four of which something happens to."""
    alarms = 0
    for first in range(0, 20, 2):
        start = FIRST + timedelta(days=first)
        found = look(home, start, start + timedelta(days=1))
        alarms += sum(
            bool(s.drifts) for s in found.segments if s.segment not in ("s05", "s07", "s09")
        )
    assert alarms == 0


def test_the_catalog_need_not_know_a_segment_nor_the_log_a_version(home: Home) -> None:
    found = look(home, date(2027, 1, 1), date(2027, 1, 5))
    assert {s.state for s in found.segments} == {"silent", "frozen", "off"}
    assert of(found, "s00").reason == "no predictions in these days"
    assert of(found, "s00").last is None


def test_nothing_was_ever_trained(tmp_path: Any) -> None:
    empty = open_home(tmp_path)
    empty.catalog.put_logical_model(MODEL)
    with pytest.raises(NotFoundError, match="credit has no segment; train a version first"):
        look(empty)
    empty.catalog.close()


def test_the_page_says_so(report: FamilyReport) -> None:
    page = render(report)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "1 of 20 segments have fallen silent. First among them s03" in page
    assert page.index("s03") < page.index("s00")
    assert page.count('scope="row"') >= len(SEGMENTS)


def test_the_command_shows_the_worst_first_and_is_quiet_afterwards(
    home: Home, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    options = ["--home", str(home.folder), "-m", "credit", "--since", f"{FIRST}"]
    options += ["--until", f"{LAST + timedelta(days=1)}", "--page", str(page), "--notify", "log"]
    first = CliRunner().invoke(monitor, options, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    assert "20 segments from 2026-01-05 until 2026-02-13: 1 silent, 1 worse, 2" in first.output
    assert first.output.index("s03") < first.output.index("s09") < first.output.index("s05")
    assert page.exists()
    book = AlertBook(f"{home.folder}/alerts")
    raised = {alert.segment: alert.kind for alert in book.open("credit")}
    assert raised == {"s03": "volume", "s09": "performance", "s05": "output_drift",
                      "s07": "input_drift", "": "resources"}  # fmt: skip
    assert {alert.tell for alert in book.open("credit")} == {"model_owner"}
    again = CliRunner().invoke(monitor, options, catch_exceptions=False)
    assert again.output.splitlines()[:9] == first.output.splitlines()[:9]
    assert all(alert.delivered == ("log",) for alert in book.open("credit"))
    before = len(book.open("credit"))
    one = CliRunner().invoke(monitor, [*options, "-s", "s00"], catch_exceptions=False)
    assert "1,200 predictions from 2026-01-05" in one.output
    assert len(book.open("credit")) == before, "one segment closes no other's alerts"


def test_one_segment_leaves_the_alerts_of_all_others(home: Home) -> None:
    options = ["--home", str(home.folder), "-m", "credit", "--since", f"{FIRST}"]
    options += ["--until", f"{LAST + timedelta(days=1)}"]
    assert CliRunner().invoke(monitor, options, catch_exceptions=False).exit_code == 0
    book = AlertBook(f"{home.folder}/alerts")
    before = {alert.id for alert in book.open("credit") if alert.segment != "s05"}
    CliRunner().invoke(monitor, [*options, "-s", "s05"], catch_exceptions=False)
    assert {alert.id for alert in book.open("credit") if alert.segment != "s05"} == before
    assert {alert.segment for alert in book.open("credit")} == {"", "s03", "s05", "s07", "s09"}


def test_segments_that_leave_are_told_as_one_alert(home: Home) -> None:
    assert not [alert for alert in look(home).alerts[""] if alert.kind == "switches"]
    when = START + timedelta(days=DAYS - 2)
    home.catalog.set_switch("credit", ["s14"], "off", by="eva", reason="useless", at=when)
    [alert] = [alert for alert in look(home).alerts[""] if alert.kind == "switches"]
    assert alert.cause == (
        f"3 of 20 segments were frozen or switched off since {FIRST}, 2 of them off; "
        f"the last is s14, since {when:%Y-%m-%d %H:%M}Z by eva (useless)"
    )
    assert alert.evidence == {"share": 0.15, "frozen": 1.0, "off": 2.0, "standing": 3.0}
    assert (alert.segment, alert.remedy, alert.tell) == ("", "ask_a_person", "model_owner")
    later = look(home, FIRST + timedelta(days=10))
    assert not [alert for alert in later.alerts[""] if alert.kind == "switches"]
    home.catalog.set_switch("credit", ["s14"], "on", by="eva", reason="better", at=NOW)
    assert not [alert for alert in look(home).alerts[""] if alert.kind == "switches"]


def test_an_experiment_of_one_segment_that_is_interrupted_is_told_of_the_family(
    tmp_path: Path,
) -> None:
    home = open_home(tmp_path / "home")
    before = train(home, ["north", "south"], rows=500)
    champion = train(home, ["south"], rows=600, at=START + timedelta(days=1))["south"]
    stage: dict[str, Any] = {"stage": "challenger", "by": "eva", "reason": "try it again"}
    home.catalog.release("credit", "south", before["south"], **stage)
    item = Experiment(
        name="spring", logical_model="credit", segment="south", kind="ab",
        arms=(champion, before["south"]), metric="brier", declared=START, by="eva",
        minimum_effect=0.01, sample_size=100,
    )  # fmt: skip
    home.catalog.declare([item])
    home.catalog.take_step([item], ExperimentStep(step="begun", at=NOW, by="eva"))
    page = tmp_path / "page.html"
    options = ["--home", str(home.folder), "-m", "credit", "--at", f"{NOW:%Y-%m-%dT%H:%M}Z"]

    def told() -> str:
        arguments = [*options, "--page", str(page)]
        found = CliRunner().invoke(monitor, arguments, catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return found.output

    assert "is interrupted" not in told()
    home.catalog.set_switch("credit", ["south"], "freeze", by="eva", reason="audit", at=NOW)
    assert "south: experiment spring is interrupted: credit/south is switched to" in told()
    assert "south: experiment spring is interrupted" in page.read_text(encoding="utf-8")
    one = CliRunner().invoke(monitor, [*options, "-s", "north"])
    assert isinstance(one.exception, DataError), "north has no events"
    book = AlertBook(f"{home.folder}/alerts")
    assert "experiment_interrupted" in {alert.kind for alert in book.open("credit")}
    home.catalog.close()
