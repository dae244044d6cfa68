"""A poisoned day of a family: told of each segment that has it, and once where most have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from loopcast.api import Alert, Monitoring, PolicyRow
from loopcast.cli.monitor import monitor
from loopcast.monitor.alerts import AlertBook
from loopcast.monitor.counting import count_days
from loopcast.monitor.daily import daily_sketches
from loopcast.monitor.family import FamilyReport, FamilyWatched, watch_family
from loopcast.monitor.plan import Plan, plan_of, usual_plan
from loopcast.monitor.served import Watched
from loopcast.monitor.watch import watch
from loopcast.store.home import Home, open_home
from loopcast.web.monitor.family import render

from .versions import MODEL, START, chance, people, scored, train

SEGMENTS = tuple(f"s{number:02d}" for number in range(12))
ROWS, FEW_ROWS = 40, 3
CLEAN, IN_ONE, AFTERWARDS, IN_ALL = 11, 12, 13, 14
NOW = START + timedelta(days=IN_ALL + 1, hours=8)


def day_of(number: int) -> date:
    return (START + timedelta(days=number)).date()


def faults(segment: str, day: int, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs of a day as they are logged: a segment of its own has each fault."""
    bad = dict(inputs)
    if (segment, day) == ("s03", IN_ONE):
        bad["town"] = [None] * len(inputs["town"])
    elif (segment, day) == ("s05", IN_ONE):
        bad["income"] = np.where(np.arange(len(inputs["income"])) < 20, 1e12, inputs["income"])
    elif day == IN_ALL:
        lost = len(inputs["income"]) if segment == "s09" else len(inputs["income"]) // 2
        bad["income"] = np.where(np.arange(len(inputs["income"])) < lost, np.nan, inputs["income"])
    return bad


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = open_home(tmp_path_factory.mktemp("home"))
    events = []
    for number, (segment, version) in enumerate(train(home, SEGMENTS, rows=1_000).items()):
        noise = np.random.default_rng(number)
        for day in range(IN_ALL + 1):
            inputs = people(noise, FEW_ROWS if segment == "s11" else ROWS)
            outputs = {"probability": chance(inputs)}
            bad = faults(segment, day, inputs)
            events.append(scored(segment, version, day, bad, outputs=outputs))
            if (segment, day) == ("s07", IN_ONE):
                events.append(events[-1].slice(0, 30))
    home.events.append(pa.concat_tables(events))
    count_days(home, daily_sketches(home), MODEL, NOW)
    yield home
    home.catalog.close()


def look(home: Home, last: int, plan: Plan | None = None) -> FamilyReport:
    watched = FamilyWatched(
        model=MODEL, first=START.date(), last=day_of(last), plan=plan or usual_plan()
    )
    return watch_family(watched, home, daily_sketches(home), NOW)


def bad_days(report: FamilyReport) -> dict[tuple[str, str], Alert]:
    return {
        (segment, alert.subject): alert
        for segment, alerts in report.alerts.items()
        for alert in alerts
        if alert.kind == "bad_day"
    }


def policy(threshold: float | None) -> Plan:
    rows = {"volume": Monitoring(measure="chance", threshold=1e-4, tell="operator")}
    if threshold is not None:
        rows["quality"] = Monitoring(measure="share", threshold=threshold, tell="data_steward")
    return plan_of(PolicyRow(monitoring=rows))


def test_each_fault_is_told_of_the_segment_that_has_it(home: Home) -> None:
    report = look(home, IN_ONE)
    found = bad_days(report)
    assert found.keys() == {("s03", "town"), ("s05", "income"), ("s07", "repeated events")}
    assert found["s03", "town"].cause == (
        f"100.0% more of the values of input town of {day_of(IN_ONE)} are missing"
    )
    assert "are none that the training had" in found["s05", "income"].cause
    assert found["s05", "income"].evidence["outside"] == pytest.approx(0.5, abs=0.01)
    assert found["s07", "repeated events"].evidence == {"share": pytest.approx(30 / 70)}
    assert {alert.tell for alert in found.values()} == {"model_owner"}
    assert not report.common
    states = {each.segment: (each.state, each.reason) for each in report.segments}
    assert states["s07"] == ("unusual", found["s07", "repeated events"].cause)
    assert states["s00"] == ("quiet", "")


@pytest.mark.parametrize("segment", ["s03", "s05", "s07"])
def test_one_segment_alone_is_told_the_same(home: Home, segment: str) -> None:
    end = START + timedelta(days=IN_ONE + 1)
    watched = Watched(model=MODEL, segment=segment, start=START, end=end, metrics=())
    alone = {a.id: a.cause for a in watch(watched, home, NOW).found if a.kind == "bad_day"}
    found = bad_days(look(home, IN_ONE))
    assert alone == {alert.id: alert.cause for (of, _), alert in found.items() if of == segment}


def test_what_all_have_is_told_once_and_names_the_worst(home: Home) -> None:
    report = look(home, IN_ALL)
    [whole] = [alert for alert in report.common if alert.kind == "bad_day"]
    found = bad_days(report)
    enough = set(SEGMENTS) - {"s11"}
    assert found.keys() == {(segment, "income") for segment in (*enough, "")}
    assert whole.cause.startswith(
        "11 of 12 segments (92%), the worst is s09: 100.0% more of the values of input income"
    )
    assert (whole.segment, whole.remedy) == ("", "ask_a_person")
    assert {found[segment, "income"].part_of for segment in enough} == {whole.id}
    assert "11 of 12 segments (92%), the worst is s09: 100.0% more" in render(report)


def test_three_rows_are_no_evidence_and_clean_days_are_quiet(home: Home) -> None:
    assert ("s11", "income") not in bad_days(look(home, IN_ALL)), "one of three is missing"
    for last in range(3, CLEAN + 1):
        assert bad_days(look(home, last)) == {}
    assert bad_days(look(home, AFTERWARDS)) == {}, "the day before was the bad one"


def test_the_policy_says_from_where_on_and_who_is_told(home: Home) -> None:
    strict = bad_days(look(home, IN_ALL, policy(0.75)))
    assert strict.keys() == {("s09", "income")}
    assert strict["s09", "income"].tell == "data_steward"
    assert bad_days(look(home, IN_ALL, policy(None))) == {}
    end = START + timedelta(days=IN_ALL + 1)
    alone: Mapping[str, Watched] = {
        segment: Watched(
            model=MODEL, segment=segment, start=START, end=end, metrics=(), plan=policy(0.75)
        )
        for segment in ("s08", "s09")
    }  # fmt: skip
    found = {name: len(watch(watched, home, NOW).found) for name, watched in alone.items()}
    assert found == {"s08": 0, "s09": 1}, "of one segment as of a family"


def test_the_day_of_a_version_that_was_replaced_since_is_still_looked_at(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    noise, before = np.random.default_rng(0), train(home, ["north", "south"], rows=1_000)
    home.events.append(
        pa.concat_tables(
            scored(segment, version, day, faults("s03", day, people(noise, ROWS)))
            for day in range(IN_ONE + 1)
            for segment, version in before.items()
        )
    )
    later = START + timedelta(days=IN_ONE + 1, hours=5)
    after = train(home, ["north"], rows=1_100, at=later)
    count_days(home, daily_sketches(home), MODEL, later)
    report = look(home, IN_ONE)
    assert {each.segment: each.version for each in report.segments} == before | after
    found = bad_days(report)
    assert {segment: alert.version for (segment, _), alert in found.items()} == before
    home.catalog.close()


def test_the_command_tells_of_it_and_closes_it_when_it_is_over(home: Home, tmp_path: Path) -> None:
    def told(last: int) -> str:
        options = ["--home", str(home.folder), "-m", "credit", "--since", f"{START.date()}"]
        options += ["--until", f"{day_of(last + 1)}", "--at", f"{day_of(last + 1)}T08:00Z"]
        page = ["--page", str(tmp_path / "page.html")]
        found = CliRunner().invoke(monitor, [*options, *page], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return " ".join(found.output.split())

    def raised() -> dict[str, str]:
        open_ones = AlertBook(f"{home.folder}/alerts").open("credit")
        return {alert.segment: alert.subject for alert in open_ones if alert.kind == "bad_day"}

    bad = told(IN_ONE)
    assert "12 segments from 2026-01-05 until 2026-01-17: 1 drifting, 2 unusual, 9 quiet" in bad
    assert "asks for it: quality" not in bad
    assert raised() == {"s03": "town", "s05": "income", "s07": "repeated events"}
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2 of 12 segments have another volume or latency than usual, miss predictions" in page
    assert "42.9% of the events of 2026-01-17 repeat another" in page
    assert "repeat another" not in told(AFTERWARDS)
    assert raised() == {}
