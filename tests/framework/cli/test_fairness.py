"""``loopcast fairness``: decisions by group, trade-offs, alternatives, and as a page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from loopcast.api import NotFoundError
from loopcast.cli import loopcast
from loopcast.store.home import Home

from ..examples import applications, sales


@pytest.fixture
def version(tmp_path: Path, run: Any, home: Home) -> str:
    applications(1200, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    run("job=train")
    return home.catalog.versions(limit=1)[0].version.id


def fairness(home: Home, version: str, *options: str) -> Result:
    arguments = ["fairness", version, *options, "--home", str(home.folder)]
    return CliRunner().invoke(loopcast, arguments, catch_exceptions=False)


def test_it_measures_by_what_the_schema_protects(home: Home, version: str) -> None:
    found = json.loads(fairness(home, version, "--cutoff", "0.3", "--json").output)
    [by_sex] = found["decisions"]
    assert by_sex["attribute"] == "sex"
    rows = {one["group"]: one["rows"] for one in by_sex["groups"]}
    assert set(rows) == {"f", "m"}
    assert sum(rows.values()) == home.catalog.evaluations(version)[0].metrics[0].count
    assert {one["group"] for one in found["kpi"]} == {"f", "m"}
    labels = [one["label"] for one in found["alternatives"]["sex"]]
    assert labels == [
        "a cut-off for each group, for even selection",
        "a cut-off for each group, for even opportunity",
    ]
    assert len(found["sweeps"]["sex"]["cutoff"]) == len(found["sweeps"]["sex"]["correct"])
    shown = fairness(home, version, "--cutoff", "0.3").output
    assert "alternatives by sex, which nobody has chosen" in shown


def test_nothing_is_released_or_written(home: Home, version: str) -> None:
    before = home.catalog.audit_head()
    fairness(home, version)
    assert home.catalog.audit_head() == before
    assert len(home.catalog.versions()) == 1


def test_groups_that_are_too_small_are_said_to_be(home: Home, version: str) -> None:
    shown = fairness(home, version, "--fewest", "290").output
    assert "fewer than two groups are large enough" in shown
    assert "too few to tell" in shown


def test_an_attribute_that_rows_were_not_judged_by_is_refused(home: Home, version: str) -> None:
    with pytest.raises(NotFoundError, match="rows were not judged by 'age'"):
        fairness(home, version, "--by", "age")


def test_without_a_protected_attribute_it_says_what_to_declare(
    run: Any, home: Home, tmp_path: Path
) -> None:
    applications(400, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    run("job=train", "~logical_model.schema.features.sex")
    newest = home.catalog.versions(limit=1)[0].version.id
    with pytest.raises(NotFoundError, match="declares no protected attribute"):
        fairness(home, newest)


def test_a_ranking_is_compared_by_its_kpi(run: Any, home: Home, tmp_path: Path) -> None:
    sales(3000, seed=1).to_csv(tmp_path / "sales.csv", index=False)
    run("logical_model=shop", "data=sales", "job=train")
    newest = home.catalog.versions(limit=1)[0].version
    assert newest.logical_model == "shop"
    with pytest.raises(NotFoundError, match="rows were not judged by 'region'"):
        fairness(home, newest.id, "--by", "region")


def test_the_page_needs_nothing_else(home: Home, version: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    fairness(home, version, "--page", str(page))
    text = page.read_text()
    assert not re.search(r"(src|href)=\"(?!#|data:)", text)
    assert "Nobody has chosen them" in text
    assert "By sex, four fifths are" in text
    drawn = re.findall(r'id="reliability-0-\d-data">(.*?)</script>', text)
    assert len(drawn) == 2
    for group, chart in zip("fm", map(json.loads, drawn), strict=True):
        line, said = chart["lines"]
        assert (line["label"], said["label"]) == (group, "as said")
        [band] = chart["bands"]
        known = [
            (low, value, high)
            for low, value, high in zip(band["low"], line["values"], band["high"], strict=True)
            if value is not None
        ]
        assert len(known) > 4
        assert all(0.0 <= low <= value <= high <= 1.0 for low, value, high in known)
