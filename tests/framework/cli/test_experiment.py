"""``loopcast experiment``: from a declaration to a released winner, by commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from loopcast import config
from loopcast.api import (
    ConfigurationError,
    DataError,
    GateError,
    LoopcastError,
    NotFoundError,
    StoreError,
)
from loopcast.cli import plugin_manager
from loopcast.cli.experiment import experiment
from loopcast.cli.monitor import monitor
from loopcast.deploy.assignment import arms as assigned
from loopcast.deploy.lookup import look_up
from loopcast.monitor.alerts import AlertBook
from loopcast.store.catalog import VersionFilter
from loopcast.store.events import event_table
from loopcast.store.home import Home
from loopcast.store.truth import truth_table

from ..deploy.versions import add, make_home, validated
from ..iterate.experiments.worlds import MODEL

PAST = [f"earlier {number}" for number in range(2_800)]
NOW = [f"customer {number}" for number in range(1_200)]
Program = Callable[..., Result]


def log(home: Home, names: list[str], versions: Any, role: Any, time: Any, **more: Any) -> None:
    home.events.append(
        event_table(
            key=names, time=time, logical_model="demand", segment="", version=versions, role=role,
            outputs={"probability": np.full(len(names), 0.3)}, **more,
        )
    )  # fmt: skip


def hear(home: Home, names: list[str], values: Any, observed: Any) -> None:
    home.truth.add("demand", truth_table(key=names, value=values, observed=observed))


@pytest.fixture
def home(loopcast_home: Path) -> Home:
    """Four weeks of a champion that served a hundred new customers a day, and a challenger."""
    home = make_home(loopcast_home, model=MODEL)
    one, two = add(home, 1), add(home, 2)
    home.catalog.release("demand", "", one, stage="champion", by="a", reason="r")
    home.catalog.release("demand", "", two, stage="challenger", by="a", reason="r")
    times = pd.DatetimeIndex([datetime.now(UTC) - timedelta(days=27.9)] * len(PAST))
    times += pd.to_timedelta(np.arange(len(PAST)) // 100, unit="D")
    log(home, PAST, one, "champion", times)
    happened = np.random.default_rng(1).random(len(PAST)) < 0.3
    hear(home, PAST, happened.astype(float), times + timedelta(hours=60))
    return home


@pytest.fixture
def call(home: Home) -> Program:
    def invoke(*arguments: str | Path) -> Result:
        found = CliRunner().invoke(experiment, [str(a) for a in arguments])
        if found.exception and not isinstance(found.exception, SystemExit | LoopcastError):
            raise found.exception
        return found

    return invoke


DECLARE = ("declare", "spring", "-m", "demand", "--kind", "ab", "--metric", "outcome",
           "--direction", "lower", "--minimum-effect", "0.1", "--by", "ann")  # fmt: skip


def serve(home: Home, arms: list[str]) -> np.ndarray:
    arm = assigned(NOW, "demand//spring", (0.5, 0.5))
    role = np.where(arm == 0, "champion", "challenger")
    log(home, NOW, np.array(arms)[arm], role, datetime.now(UTC), propensity=0.5)
    return arm


def test_from_declaration_to_release(call: Program, home: Home) -> None:
    declared = call(*DECLARE)
    assert declared.exit_code == 0, declared.output
    found = home.catalog.experiment("demand", "", "spring").experiment
    assert found.baseline == pytest.approx(0.3, abs=0.02)
    assert found.deviation == pytest.approx(np.sqrt(0.3 * 0.7), abs=0.01)
    assert found.sample_size == pytest.approx(16 * 0.21 / 0.1**2, rel=0.05)
    assert (found.days, found.wait_days) == (7, 3)
    assert f"needs {found.sample_size} outcomes of each arm" in declared.output

    assert call("begin", "spring", "-m", "demand", "--by", "ann").output.endswith("has begun\n")
    arms = list(found.arms)
    arm = serve(home, arms)
    status = call("status", "spring", "-m", "demand")
    assert f"{int((arm == 1).sum())}" in status.output
    assert "equal division" in status.output
    sealed = call("result", "spring", "-m", "demand")
    assert isinstance(sealed.exception, GateError)
    assert "is sealed until" in str(sealed.exception)

    happened = np.random.default_rng(2).random(len(NOW)) < np.where(arm == 1, 0.1, 0.3)
    hear(home, NOW, happened.astype(float), datetime.now(UTC))
    result = call("result", "spring", "-m", "demand")
    assert result.exit_code == 0, result.output
    assert f"{arms[1]} is to be released" in result.output
    assert "hold for this one look" in result.output
    said = json.loads(call("result", "spring", "-m", "demand", "--json").output)
    assert said["winner"] == arms[1]

    permit(home, arms[1])
    concluded = call("conclude", "spring", "-m", "demand", "--by", "ann")
    assert f"{arms[1]} is champion" in concluded.output
    assert home.catalog.champion("demand").id == arms[1]  # type: ignore[union-attr]
    assert "experiment spring: " in home.catalog.history("demand", version=arms[1])[-1].reason
    assert "concluded" in call("list").output
    home.catalog.verify_audit()


def permit(home: Home, version: str) -> None:
    """Let a version have passed all that the policy asks for."""
    policy = config.compose_policy("default", plugins=plugin_manager())
    home.catalog.put_policy(policy)
    home.catalog.put_validations([validated(version, policy.row(MODEL))])


def win(call: Program, home: Home) -> list[str]:
    """Let the second arm of an experiment do better; return both."""
    call(*DECLARE, "--sample-size", "300")
    call("begin", "spring", "-m", "demand", "--by", "ann")
    arms = list(home.catalog.experiment("demand", "", "spring").experiment.arms)
    hear(home, NOW, (serve(home, arms) == 0).astype(float), datetime.now(UTC))
    permit(home, arms[1])
    return arms


def test_the_winner_of_a_frozen_segment_waits(call: Program, home: Home) -> None:
    arms = win(call, home)
    home.catalog.set_switch("demand", [""], "freeze", by="ann", reason="a campaign")
    concluded = call("conclude", "spring", "-m", "demand", "--by", "ann")
    assert concluded.exit_code == 0, concluded.output
    assert f"{arms[1]} is challenger" in concluded.output
    assert "demand is frozen since" in concluded.output
    assert home.catalog.experiment("demand", "", "spring").state == "concluded"


def test_a_winner_is_released_at_the_moment_of_the_conclusion(call: Program, home: Home) -> None:
    arms = win(call, home)
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    call("conclude", "spring", "-m", "demand", "--by", "ann", "--at", f"{later:%FT%TZ}")
    released = home.catalog.history("demand", version=arms[1])[-1]
    assert (released.stage, released.since) == ("champion", later)


def test_a_proposal_waits_for_a_person_where_the_policy_says_so(call: Program, home: Home) -> None:
    risky = replace(MODEL, risk=replace(MODEL.risk, impact="severe"))
    home.catalog.put_logical_model(risky)
    call(*DECLARE, "--sample-size", "300")
    call("begin", "spring", "-m", "demand", "--by", "ann")
    arms = home.catalog.experiment("demand", "", "spring").experiment.arms
    arm = serve(home, list(arms))
    hear(home, NOW, (arm == 0).astype(float), datetime.now(UTC))
    concluded = call("conclude", "spring", "-m", "demand", "--by", "ann")
    assert concluded.exit_code == 0, concluded.output
    assert f"{arms[1]} is challenger" in concluded.output
    assert f"'loopcast release {arms[1]} --by NAME --reason TEXT' makes it champion" in (
        concluded.output
    )
    assert "no sign-off by the role" in concluded.output
    assert home.catalog.champion("demand").id == arms[0]  # type: ignore[union-attr]


def test_an_alternative_that_wins_waits_for_its_signature(call: Program, home: Home) -> None:
    fair = add(home, 3, alternative="reweighed by sex")
    [two] = [v.version.id for v in home.catalog.versions(VersionFilter(stage="challenger"))]
    home.catalog.release("demand", "", two, stage="staging", by="a", reason="r")
    home.catalog.release("demand", "", fair, stage="challenger", by="a", reason="r")
    call(*DECLARE, "--sample-size", "300")
    call("begin", "spring", "-m", "demand", "--by", "ann")
    arms = home.catalog.experiment("demand", "", "spring").experiment.arms
    assert arms[1] == fair
    arm = serve(home, list(arms))
    hear(home, NOW, (arm == 0).astype(float), datetime.now(UTC))
    policy = config.compose_policy("default", plugins=plugin_manager())
    home.catalog.put_policy(policy)
    home.catalog.put_validations([validated(fair, policy.row(MODEL))])
    concluded = call("conclude", "spring", "-m", "demand", "--by", "ann")
    assert concluded.exit_code == 0, concluded.output
    assert f"{fair} is challenger" in concluded.output
    assert "it is an alternative (reweighed by sex)" in concluded.output
    assert home.catalog.champion("demand").id == arms[0]  # type: ignore[union-attr]


def test_a_declaration_from_a_file(call: Program, home: Home, tmp_path: Path) -> None:
    file = tmp_path / "spring.yaml"
    file.write_text(
        "kind: ab\nmetric: outcome\ndirection: lower\nminimum_effect: 0.1\nsequential: true\n"
        "guardrails: {brier: 0.02}\n"
    )
    declare = ("declare", "spring", "-m", "demand", "--from", file, "--by", "ann")
    found = call(*declare, "--power", "0.9")
    assert found.exit_code == 0, found.output
    item = home.catalog.experiment("demand", "", "spring").experiment
    assert (item.sequential, item.power, item.guardrails) == (True, 0.9, {"brier": 0.02})
    file.write_text("kind: ab\nmetric: outcome\npowder: 0.9\n")
    wrong = call(*declare)
    assert isinstance(wrong.exception, ConfigurationError)
    assert "unknown field `powder`" in str(wrong.exception)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (("--metric", "outcome", "--minimum-effect", "0.1"), DataError, "a default is not"),
        (("--metric", "charm"), DataError, "no metric 'charm'"),
        (("--metric", "charm", "--sample-size", "9"), DataError, "no metric 'charm'"),
        ((), ConfigurationError, "experiment spring: say its metric (--metric)"),
        (("--metric", "auc"), DataError, "say which difference matters"),
        (("--metric", "brier", "--minimum-effect", "-1"), ConfigurationError, "> 0.0"),
        (("--metric", "brier", "--kind", "shadow"), DataError, "no outcome is known to see that"),
        (("--metric", "brier", "--minimum-effect", "0.001"), DataError, "would take years"),
    ],
)
def test_what_is_missing_or_impossible_is_said(
    call: Program, home: Home, options: tuple[str, ...], error: type, message: str
) -> None:
    found = call("declare", "spring", "-m", "demand", "--kind", "ab", "--by", "ann", *options)
    assert isinstance(found.exception, error), found.output
    assert message in str(found.exception)
    assert home.catalog.experiments() == ()


def test_a_list_of_nothing_says_so_and_one_of_no_model_is_refused(call: Program) -> None:
    assert call("list", "-m", "demand").output.startswith("no experiments;")
    found = call("list", "-m", "dmand")
    assert isinstance(found.exception, NotFoundError)
    assert "the nearest is 'demand'" in str(found.exception)


def test_stopping_needs_a_running_experiment_and_a_reason(call: Program, home: Home) -> None:
    stop = ("stop", "spring", "-m", "demand", "--by", "ann", "--reason", "a fault")
    call(*DECLARE)
    assert isinstance(call(*stop).exception, StoreError)
    call("begin", "spring", "-m", "demand", "--by", "ann")
    assert call(*stop).output == "demand: spring is stopped\n"
    assert home.catalog.active_experiments("demand") == {}
    assert call("stop", "spring", "-m", "demand", "--by", "ann").exit_code == 2


def test_a_family_takes_each_step_where_it_can_be_taken(call: Program, home: Home) -> None:
    for number, segment in enumerate(("north", "south", "west")):
        home.catalog.release(
            "demand", segment, add(home, 10 + number, segment), stage="champion", by="a", reason="r"
        )
        if segment != "west":
            other = add(home, 20 + number, segment)
            home.catalog.release("demand", segment, other, stage="challenger", by="a", reason="r")
    who = ("-m", "demand", "--by", "ann")
    size = ("--sample-size", "300", "--all-segments")
    declared = call(*DECLARE, *size)
    assert declared.exit_code == 0, declared.output
    assert declared.output.endswith("1 segments have no champion or no challenger: west\n")
    assert call("begin", "spring", *who, "-s", "north").exit_code == 0
    begun = call("begin", "spring", *who, "--all-segments")
    assert "demand/south: spring has begun" in begun.output
    assert "north" not in begun.output
    reason = ("--reason", "a fault")
    assert call("stop", "spring", *who, "-s", "north", *reason).exit_code == 0
    stopped = call("stop", "spring", *who, "--all-segments", *reason)
    assert "demand/south: spring is stopped" in stopped.output
    assert "north" not in stopped.output
    again = call("stop", "spring", *who, "--all-segments", *reason)
    assert "only one that is running can be stopped" in str(again.exception)
    alone = call(*DECLARE, "--sample-size", "300", "-s", "west")
    assert "demand/west has no version in the stage challenger" in str(alone.exception)


def test_what_was_stopped_at_once_has_a_result_of_nothing(call: Program, home: Home) -> None:
    call(*DECLARE)
    call("begin", "spring", "-m", "demand", "--by", "ann")
    call("stop", "spring", "-m", "demand", "--by", "ann", "--reason", "a fault")
    found = call("result", "spring", "-m", "demand")
    assert found.exit_code == 0, found.output
    assert "cannot be told from the champion yet" in found.output


def test_a_wrong_division_raises_an_alert_and_a_right_one_closes_it(
    call: Program, home: Home
) -> None:
    call(*DECLARE)
    call("begin", "spring", "-m", "demand", "--by", "ann")
    arms = home.catalog.experiment("demand", "", "spring").experiment.arms
    names = [f"robot {n}" for n in range(300)]
    log(home, names, arms[1], "challenger", datetime.now(UTC), propensity=0.5)
    call("status", "spring", "-m", "demand")
    book = AlertBook(f"{home.folder}/alerts")
    [alert] = book.open("demand")
    assert (alert.kind, alert.severity) == ("sample_ratio", "critical")
    seen = monitored(home)
    assert "experiment spring: entities are served" in seen
    assert [a.id for a in book.open("demand") if a.kind == "sample_ratio"] == [alert.id]
    log(
        home,
        [f"man {n}" for n in range(300)],
        arms[0],
        "champion",
        datetime.now(UTC),
        propensity=0.5,
    )
    assert call("check", "-m", "demand").output == "1 experiments of demand run\n"
    assert alert.id not in {a.id for a in book.open("demand")}


def monitored(home: Home) -> str:
    """Return what the monitor prints, which delivers to the log."""
    options = ["--home", str(home.folder), "-m", "demand", "--notify", "log"]
    return CliRunner().invoke(monitor, options, catch_exceptions=False).output


def test_an_interruption_is_told(call: Program, home: Home) -> None:
    call(*DECLARE)
    call("begin", "spring", "-m", "demand", "--by", "ann")
    home.catalog.set_switch("demand", [""], "freeze", by="bob", reason="audit")
    assert (
        "interrupted, the champion serves everyone"
        in call("status", "spring", "-m", "demand").output
    )


def test_the_monitor_tells_of_an_interruption_and_forgets_it_when_it_is_over(
    call: Program, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    call(*DECLARE)
    call("begin", "spring", "-m", "demand", "--by", "ann")
    home.catalog.set_switch("demand", [""], "freeze", by="bob", reason="audit")
    assert "experiment spring is interrupted" in monitored(home)
    assert sum("spring is interrupted" in record.message for record in caplog.records) == 1
    monitored(home)
    assert sum("spring is interrupted" in record.message for record in caplog.records) == 1
    home.catalog.set_switch("demand", [""], "on", by="bob", reason="done")
    assert "is interrupted" not in monitored(home)


def test_shares_follow_the_nights_of_arms_that_differ(call: Program, home: Home) -> None:
    """Few defaults are what is wanted, and the outcomes of the first night come after learning."""
    first = datetime.now(UTC) - timedelta(days=20)
    night = ["night", "-m", "demand", "--by", "ann", "--at", f"{first:%Y-%m-%d}"]
    call("declare", *night, "--kind", "bandit", "--metric", "outcome", "--direction", "lower",
         "--wait-days", "3")  # fmt: skip
    call("begin", *night)
    arms = home.catalog.experiment("demand", "", "night").experiment.arms
    random, said = np.random.default_rng(0), []
    for day in (1, 6, 11):
        served = look_up(home.catalog, "demand")
        at, names = first + timedelta(days=day), [f"{name} {day}" for name in NOW[:300]]
        versions = served.versions(names)
        role = np.where(versions == arms[0], "champion", "challenger")
        share = {part.version: part.share for part in served.parts}
        log(home, names, versions, role, at, propensity=np.array([share[v] for v in versions]))
        learn = ("learn", "-m", "demand", "--at", f"{at + timedelta(days=4):%Y-%m-%d}")
        said.append(call(*learn).output)
        defaults = random.random(300) < np.where(versions == arms[0], 0.25, 0.05)
        hear(home, names, defaults.astype(float), at + timedelta(days=2))
        said.append(call(*learn).output)
    assert "99% by" not in said[0]
    assert [f"99% by {arms[1]}" in night for night in said[1:]] == [True] * 5
    status = call("status", "night", "-m", "demand").output
    assert [line.split()[-1] for line in status.splitlines()[-2:]] == ["1%", "99%"]


def test_a_bandit_learns_by_command(call: Program, home: Home) -> None:
    declare = [
        "declare", "night", "-m", "demand", "--kind", "bandit", "--metric", "outcome",
        "--direction", "higher", "--silence-counts", "--by", "ann",
    ]  # fmt: skip
    assert "a bandit counts each impression once" in str(call(*declare).exception)
    by_score = [word.replace("outcome", "auc") for word in declare]
    assert "a bandit learns from outcomes alone, not from 'auc'" in str(
        call(*by_score, "--wait-days", "0").exception
    )
    call(*declare, "--wait-days", "0")
    call("begin", "night", "-m", "demand", "--by", "ann")
    arms = home.catalog.experiment("demand", "", "night").experiment.arms
    clicked = np.arange(200) % 2 == 0
    for arm, names in enumerate((NOW[:200], NOW[200:400])):
        role = "challenger" if arm else "champion"
        log(home, names, arms[arm], role, datetime.now(UTC), propensity=0.5)
    hear(home, NOW[200:400], clicked.astype(float), datetime.now(UTC))
    learned = call("learn", "-m", "demand")
    assert "1 bandits of demand have learned" in learned.output
    assert f"99% by {arms[1]}" in learned.output
    [state] = json.loads(call("learn", "-m", "demand", "--json").output).values()
    assert state["updates"] == 2
    assert "hold roughly" in call("result", "night", "-m", "demand").output
