"""Look-up: every process is answered by one night or the next, whatever happens meanwhile."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from loopcast.api import (
    DataError,
    Feature,
    IntegrityError,
    Kpi,
    LogicalModel,
    NotFoundError,
    RankSchema,
    StoreError,
    SwitchError,
)
from loopcast.plugins import PluginManager
from loopcast.serve.list_file import ListFile, entries
from loopcast.serve.lists import Lists
from loopcast.serve.lookup import LISTS, LookUp
from loopcast.serve.published import publish, published, served_folder
from loopcast.serve.rules import RuleBook, current_rules, read_rules
from loopcast.settings import RuleSettings
from loopcast.store import readers
from loopcast.store.files import write_atomically
from loopcast.store.home import Home, open_home

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCHEMA = RankSchema(
    entity="customer",
    item="product",
    time="sold",
    length=3,
    item_features={"kind": Feature(kind="category")},
)
VERSION = "a" * 16


def answered(
    segment: str, who: Sequence[str], items: Sequence[Sequence[str]], popular: str = "popular"
) -> Lists:
    """The lists of those who ask, with scores 1, 1/2, 1/3, and the newcomer's."""
    every = [*items, [popular]]
    return Lists(
        segment=pa.array([segment] * len(every), pa.large_string()),
        entity=pa.array([*who, ""], pa.large_string()),
        items=pa.array(["\n".join(own) for own in every], pa.large_string()),
        counts=np.array([len(own) for own in every]),
        scores=np.concatenate([1 / np.arange(1, len(own) + 1) for own in every], dtype=np.float32),
        version=pa.array([VERSION] * len(every), pa.large_string()),
        action=pa.array([*["served"] * len(who), "flagged"], pa.large_string()),
        reason=pa.nulls(len(every), pa.large_string()),
    )


def night(
    home: Home,
    batch: Sequence[Lists],
    number: int = 0,
    unanswered: Mapping[str, str] | None = None,
) -> Path:
    """Publish the lists of a night."""
    home.folder.mkdir(exist_ok=True)
    made, path = NOON + timedelta(days=number), home.folder / LISTS
    with ListFile(path) as file:
        for lists in batch:
            file.write(entries(lists, made, {}))
        file.write(entries(None, made, unanswered or {}))
    return publish(
        served_folder(home.folder, "shop"), {LISTS: path}, logical_model="shop", made=made
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = open_home(tmp_path / "home")
    home.catalog.put_logical_model(
        LogicalModel(
            name="shop",
            title="Suggestions",
            owner="shop",
            kpi=Kpi(metric="ndcg", direction="higher"),
            schema=SCHEMA,
            fallback="best sellers",
        )
    )
    return home


def test_a_list_is_found_as_it_was_published(home: Home) -> None:
    long = "c" * 600
    who = ["ann", "Zoë", "all", long]
    night(
        home,
        [answered("acme", who, [["p1", "p2"], ["ü"], [], ["p3"]]), answered("", ["x"], [["y"]])],
    )
    with LookUp(home, "shop") as lists:
        found = lists.ask("acme", "ann")
        assert found.id == "20260101T120000.000000/acme/ann"
        assert (found.items, found.scores) == (("p1", "p2"), (1.0, 0.5))
        assert (found.version, found.action, found.reason) == (VERSION, "served", "")
        assert found.personal
        assert lists.ask("acme", "Zoë").items == ("ü",)
        assert lists.ask("acme", long).items == ("p3",)
        assert lists.ask("", "x").items == ("y",)
        nothing = lists.ask("acme", "all")
        assert nothing.personal
        assert (nothing.items, nothing.scores) == ((), ())
        new = lists.ask("acme", "nobody")
        assert (new.items, new.personal, new.action) == (("popular",), False, "flagged")
        nameless = lists.ask("acme", "")
        assert (nameless.items, nameless.personal) == (("popular",), False)


def test_a_segment_without_lists_says_why(home: Home) -> None:
    with pytest.raises(NotFoundError, match="nothing was published in"):
        LookUp(home, "shop")
    failed = {"bad": "'yesterday' is no time"}
    night(home, [answered("acme", ["ann"], [["p1"]])], unanswered=failed)
    with LookUp(home, "shop") as lists:
        with pytest.raises(NotFoundError, match="shop/bad has no lists: 'yesterday' is no time"):
            lists.ask("bad", "ann")
        with pytest.raises(NotFoundError, match="shop/strange is not among the segments of"):
            lists.ask("strange", "ann")


def test_the_switch_is_obeyed(home: Home) -> None:
    night(home, [answered(name, ["ann"], [["p1"]]) for name in ("acme", "birch")])
    with LookUp(home, "shop", seconds=60) as lists:
        home.catalog.set_switch("shop", ["acme"], "freeze", by="ann", reason="sale")
        home.catalog.set_switch("shop", ["birch"], "off", by="ann", reason="asked")
        assert lists.ask("birch", "ann").items == ("p1",)
        lists.refresh()
        assert lists.ask("acme", "ann").items == ("p1",)
        with pytest.raises(
            SwitchError, match=r"shop/birch is switched off .*fallback: best sellers"
        ):
            lists.ask("birch", "ann")
        home.catalog.set_switch("shop", ["birch"], "on", by="ann", reason="asked")
        lists.refresh()
        assert lists.ask("birch", "ann").items == ("p1",)


def test_what_is_taken_out_is_in_no_list_from_the_next_look_on(home: Home, tmp_path: Path) -> None:
    three = [["p1", "p2", "p3"]] * 2
    night(home, [answered(name, ["ann", "bob"], three) for name in ("acme", "birch")])
    path = tmp_path / "rules.csv"

    def rules(*rows: str) -> None:
        write_atomically(
            path, "\n".join(["segment,rule,does,entity,item,feature,value", *rows]).encode()
        )

    rules()
    settings = RuleSettings(reader="csv", options={"path": "rules.csv"})
    plugins = PluginManager.load(builtin=[readers])
    current = partial(current_rules, settings, plugins, tmp_path)
    with LookUp(home, "shop", seconds=60, rules=current) as lists:
        assert lists.ask("acme", "ann").items == ("p1", "p2", "p3")
        rules("acme,gone,hide,,p1,,", "birch,minor,hide,ann,p2,,", ",recalled,hide,,popular,,",
              ",by kind,hide,,,kind,spirits")  # fmt: skip
        lists.refresh()
        found = lists.ask("acme", "ann")
        assert found.items == ("p2", "p3")
        assert found.scores == struct.unpack("<2f", struct.pack("<2f", 1 / 2, 1 / 3))
        assert lists.ask("birch", "ann").items == ("p1", "p3")
        assert lists.ask("birch", "bob").items == ("p1", "p2", "p3")
        assert lists.ask("birch", "nobody").items == ()
        path.write_text("no,rules\n1,2\n")
        with pytest.raises(DataError, match="unknown column"):
            lists.refresh()
        assert lists.ask("acme", "ann").items == ("p2", "p3")
        rules("birch,typo,hyde,,p1,,", "acme,gone too,hide,,p2,,")
        with pytest.raises(DataError, match=r"row 1: rule 'typo' does none of hide"):
            lists.refresh()
        assert lists.ask("acme", "ann").items == ("p1", "p3")  # what another shop wrote holds
        assert lists.ask("birch", "ann").items == ("p1", "p2", "p3")


def test_rules_whose_reader_breaks_are_told_and_looked_at_again(home: Home) -> None:
    night(home, [answered("acme", ["ann"], [["p1", "p2"]])])
    none = read_rules(pd.DataFrame(), "rules")
    answers: Iterator[RuleBook | Exception] = iter([none, ZeroDivisionError("oh"), KeyError()])
    last = {"rule": ["gone"], "does": ["hide"], "item": ["p1"]}

    def current() -> RuleBook:
        found = next(answers, read_rules(pd.DataFrame(last), "rules"))
        if isinstance(found, Exception):
            raise found
        return found

    troubles = []
    with LookUp(home, "shop", seconds=0.05, rules=current) as lists:
        while lists.ask("acme", "ann").items == ("p1", "p2"):
            troubles.append(lists.trouble)
            time.sleep(0.005)
        assert lists.ask("acme", "ann").items == ("p2",)
        assert set(troubles) == {"", "oh", "KeyError"}


def test_a_file_that_is_none_is_refused(home: Home) -> None:
    folder = served_folder(home.folder, "shop")
    home.folder.mkdir(exist_ok=True)
    other = home.folder / "other"
    other.write_bytes(b"x" * 10_000)
    publish(folder, {"scores.parquet": other}, logical_model="shop", made=NOON)
    with pytest.raises(NotFoundError, match=r"has no lists\.mdb; a ranking publishes one"):
        LookUp(home, "shop")
    publish(folder, {LISTS: other}, logical_model="shop", made=NOON + timedelta(days=1))
    with pytest.raises(IntegrityError, match="is not a file of lists"):
        LookUp(home, "shop")


def test_what_was_known_is_served_while_a_store_is_away(home: Home) -> None:
    night(home, [answered("acme", ["ann"], [["p1"]])])
    with LookUp(home, "shop", seconds=0.01) as lists:
        link = served_folder(home.folder, "shop") / "current"
        away = link.rename(link.with_name("away"))
        _wait(lambda: "nothing was published" in lists.trouble)
        assert lists.ask("acme", "ann").items == ("p1",)
        away.rename(link)
        _wait(lambda: not lists.trouble)


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="disk"):
        _interrupted(tmp_path / LISTS)
    assert list(tmp_path.iterdir()) == []


def _interrupted(path: Path) -> None:
    with ListFile(path) as file:
        file.write(entries(answered("acme", ["ann"], [["p1"]]), NOON, {}))
        raise StoreError("disk")


def test_one_process_may_look_up_twice(home: Home) -> None:
    night(home, [answered("acme", ["ann"], [["p1"]])])
    with LookUp(home, "shop") as first, LookUp(home, "shop") as second:
        assert first.ask("acme", "ann") == second.ask("acme", "ann")


def test_a_file_of_two_names_is_the_same_file(home: Home, tmp_path: Path) -> None:
    night(home, [answered("acme", ["ann"], [["p1"]])])
    link = tmp_path / "link"
    link.symlink_to(home.folder)
    with LookUp(home, "shop", seconds=60) as first, LookUp(open_home(link), "shop") as second:
        assert first.ask("acme", "ann") == second.ask("acme", "ann")
        path = home.folder / LISTS
        folder = served_folder(home.folder, "shop")
        publish(folder, {LISTS: path}, logical_model="shop", made=NOON + timedelta(days=1))
        first.refresh()
        assert first.ask("acme", "ann").items == ("p1",)


ASK = """
import json, sys
from loopcast.serve.lookup import LookUp
from loopcast.store.home import open_home
assert "pandas" not in sys.modules
asked, mixed, seen = 0, 0, set()
with LookUp(open_home(sys.argv[1]), "shop", seconds=0.002) as lists:
    print("ready", flush=True)
    while len(seen) < 5 or asked < 3_000:
        for customer in ("ann", "bob", "nobody"):
            found = lists.ask("acme", customer)
            nights = {item.partition(" ")[0] for item in found.items} | {found.id[:8]}
            mixed += len(nights) > 1
            seen |= nights
            asked += 1
print(json.dumps({"asked": asked, "mixed": mixed}))
"""


def test_processes_ask_all_the_time_while_nights_swap(home: Home) -> None:
    def lists(number: int) -> list[Lists]:
        day = (NOON + timedelta(days=number)).strftime("%Y%m%d")
        own = [f"{day} {n}" for n in range(3)]
        return [answered("acme", ["ann", "bob"], [own, own], popular=f"{day} popular")]

    night(home, lists(0))
    command = [sys.executable, "-c", ASK, str(home.folder)]
    asking = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in asking:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    number = 0
    while any(process.poll() is None for process in asking):
        number += 1
        night(home, lists(number), number)
        time.sleep(0.02)
    for process in asking:
        out, errors = process.communicate()
        assert process.returncode == 0, errors
        done = json.loads(out)
        assert done["mixed"] == 0
        assert done["asked"] >= 3_000
    assert published(served_folder(home.folder, "shop")).batch.made == NOON + timedelta(days=number)


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
