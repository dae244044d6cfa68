"""The report of a forecast: whole, self-contained, safe, and true to its input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    Covariate,
    DataError,
    Dataset,
    Effect,
    Evaluation,
    Kpi,
    Metric,
    ScoreSchema,
)
from loopcast.api.schema import Feature
from loopcast.web.forecast import words as forecast_words
from loopcast.web.forecast.backtest import errors_by_day_type
from loopcast.web.forecast.page import render
from loopcast.web.forecast.report import ForecastReport
from loopcast.web.forecast.tables import overview
from loopcast.web.forecast.values import metric_text

MakeReport = Callable[..., ForecastReport]

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a test asks of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.embedded: dict[str, str] = {}
        self.text: list[str] = []
        self.open: list[str] = []
        self._script: str | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        if tag not in VOID and tag != "polyline":
            self.open.append(tag)
        if found.get("type") == "application/json":
            self._script = str(found["id"])

    def handle_endtag(self, tag: str) -> None:
        if tag != "polyline":
            assert self.open.pop() == tag
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script:
            self.embedded[self._script] = data
        elif not self.open or self.open[-1] not in {"script", "style"}:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def chart(self, figure: str) -> dict[str, Any]:
        return dict(json.loads(self.embedded[f"{figure}-data"]))

    @property
    def words(self) -> str:
        text = " ".join(" ".join(self.text).split())
        return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{WORD JOINER}", "")


@pytest.fixture(scope="module")
def page(report: ForecastReport) -> Page:
    return Page(render(report))


@pytest.fixture(scope="module")
def market(market_report: ForecastReport) -> Page:
    return Page(render(market_report))


def test_it_refers_to_nothing_outside_itself(page: Page, market: Page) -> None:
    for found in (page, market):
        for tag, attributes in found.elements:
            for name in ("src", "srcset", "action", "poster"):
                assert name not in attributes, tag
            assert str(attributes.get("href", "#")).startswith(("#", "data:,"))
        policy = next(a["content"] for a in found.all("meta") if "http-equiv" in a)
        assert str(policy).startswith("default-src 'none'")


def test_its_styles_load_nothing(report: ForecastReport) -> None:
    styles = "".join(re.findall(r"<style>(.*?)</style>", render(report), flags=re.DOTALL))
    assert "@import" not in styles
    assert "url(" not in styles


def test_every_element_is_closed_and_every_id_is_unique(page: Page, market: Page) -> None:
    for found in (page, market):
        assert found.open == []
        ids = [a["id"] for _, a in found.elements if "id" in a]
        assert len(ids) == len(set(ids))


def test_every_chart_has_a_title_an_alternative_and_its_data(page: Page, market: Page) -> None:
    for found in (page, market):
        ids = {a.get("id") for _, a in found.elements}
        plots = [a for a in found.all("div") if a.get("class") == "plot"]
        assert plots
        assert all(a["role"] == "img" and a["aria-label"] for a in plots)
        assert all(a["data-chart"] in found.embedded for a in plots)
        assert all(a["aria-labelledby"] in ids for a in found.all("figure"))


def test_links_of_the_navigation_lead_somewhere(page: Page) -> None:
    ids = {a.get("id") for _, a in page.elements}
    assert all(str(a["href"])[1:] in ids for a in page.all("a"))


def test_the_forecast_is_embedded_as_it_was_given(report: ForecastReport, page: Page) -> None:
    chart = page.chart("forecast-0")
    rows = report.rows("victoria", "30min")
    lines = {line["label"]: line["values"] for line in chart["lines"]}
    np.testing.assert_allclose(lines["forecast"][-48:], rows["mean"], rtol=1e-5)
    np.testing.assert_allclose(chart["bands"][0]["low"][-48:], rows["0.05"], rtol=1e-5)
    np.testing.assert_allclose(lines["actual"][:-48], report.recent["victoria"], rtol=1e-5)
    times = pd.to_datetime(chart["x"]["values"][-48:], unit="s", utc=True)
    assert list(times) == list(rows["time"])


def test_the_line_of_the_week_before_is_by_wall_time(make_report: MakeReport) -> None:
    report = make_report(origin="2014-10-06")  # the day after clocks went forward
    lines = {x["label"]: x["values"] for x in Page(render(report)).chart("forecast-0")["lines"]}
    before = report.recent["victoria"].loc["2014-09-29"]
    np.testing.assert_allclose(lines["a week before"][-48:], before, rtol=1e-5)


def test_errors_by_hour_are_those_of_the_backtest(report: ForecastReport, page: Page) -> None:
    chart = page.chart("hours-0")
    errors = report.errors.loc[report.errors["contender"] == "naive_week"]
    size = (errors["actual"] - errors["mean"]).abs()
    expected = size.groupby(errors["time"].dt.hour).mean()
    line = next(x for x in chart["lines"] if x["label"] == "naive_week")
    np.testing.assert_allclose(line["values"], expected, rtol=1e-5)


def test_scored_days_apart_are_drawn_side_by_side(sparse_report: ForecastReport) -> None:
    found = Page(render(sparse_report))
    assert "Forecasts and actuals over the 28 scored days" in found.words
    assert "28 days, one every 3 days, drawn side by side." in found.words
    chart = found.chart("backtest-0")
    segments = chart["x"]["segments"]
    scored = sparse_report.errors["time"].dt.normalize().unique()
    assert [s["time"] for s in segments] == [int(day.timestamp()) for day in scored]
    ranges = chart["ranges"]
    assert [r["label"] for r in ranges] == ["7 days", "14 days", "28 days"]
    assert [r["start"] for r in ranges] == [segments[-n]["start"] for n in (7, 14, 28)]
    assert {r["end"] for r in ranges} == {segments[-1]["start"] + 23.5 * 3600}


def test_scored_days_in_a_row_stay_where_they_are(report: ForecastReport, page: Page) -> None:
    assert "28 days in a row." in page.words
    chart = page.chart("backtest-0")
    assert chart["x"]["segments"] == []
    days = report.errors["time"].dt.normalize().unique()
    starts = [range_["start"] for range_ in chart["ranges"]]
    assert starts == [int(days[-count].timestamp()) for count in (7, 14, 28)]


def test_scored_days_at_odds_are_not_called_regular(report: ForecastReport) -> None:
    first = report.errors["time"].dt.normalize().min()
    kept = report.errors.loc[report.errors["time"].dt.normalize() != first + pd.Timedelta("5D")]
    found = Page(render(replace(report, errors=kept)))
    assert "27 days, not all in a row, drawn side by side." in found.words


def test_it_says_how_many_scored_days_it_leaves_out(report: ForecastReport) -> None:
    earlier = report.errors.assign(time=report.errors["time"] - pd.DateOffset(days=28))
    found = Page(render(replace(report, errors=pd.concat([earlier, report.errors]))))
    assert "over the last 42 of 56 scored days" in found.words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (0.0, "add up exactly."),
        (3.61e-16, "add up exactly (largest relative difference 3.6 × 10⁻¹⁶)."),
        (2e-11, "add up (largest relative difference 2.0 × 10⁻¹¹)."),
        (0.01, "do not add up (largest relative difference 1.0 × 10⁻²)."),
    ],
)
def test_it_says_how_well_forecasts_add_up(
    report: ForecastReport, error: float, words: str
) -> None:
    found = Page(render(replace(report, coherence_error=error)))
    assert f"Forecasts of half-hours, hours and days {words}" in found.words


def test_notes_name_covariates_as_people_do(report: ForecastReport) -> None:
    covariates = {"working_day": Covariate(), "temperature": Covariate()}
    schema = msgspec.structs.replace(report.schema, covariates=covariates)
    model = msgspec.structs.replace(report.logical_model, schema=schema)
    notes = ("The realised temperature, working_day; my_working_day_2 is left as it is.",)
    found = Page(render(replace(report, logical_model=model, notes=notes)))
    assert "temperature, working day; my_working_day_2 is" in found.words


def test_each_day_type_has_its_own_colour_and_room(page: Page) -> None:
    lines = page.chart("effect-0")["lines"]
    assert len({line["role"] for line in lines}) == len(lines) == 7
    classes = {a["id"]: a["class"] for a in page.all("figure")}
    assert classes["effect-0"] == "lines wide"
    assert classes["effect-1"] == "lines"


def test_it_says_what_is_expected_when_and_how_sure(page: Page) -> None:
    assert "Demand of Victoria: forecast for Wednesday 10 December 2014" in page.words
    assert "The peak is expected at 12:00 AEDT with 5.35 GW (5.14–5.56 GW)" in page.words
    assert "the day adds up to 111 GWh (108–114 GWh)" in page.words
    assert "Australia/Melbourne (AEDT, UTC+11:00)" in page.words
    assert "It beats every baseline: its MAPE is 2.19 %, that of naive_week" in page.words
    assert "The backtest used the temperature that was realised" in page.words


def test_how_it_was_made_is_complete(report: ForecastReport, page: Page) -> None:
    for text in (
        report.dataset.fingerprint,
        report.version.manifest,
        report.version.recipe,
        "arima_order",
        "17,520",
        "48.2 s",
        "3.0.1",
        "3.1 × 10⁻¹⁶",
        "rolling origin, 28 origins, horizon 1D, refit every 28 days",
    ):
        assert text in page.words


def test_the_best_of_each_metric_is_marked_for_eye_and_ear(page: Page) -> None:
    assert len(page.all("strong")) >= 5
    assert "2.19 % (best)" in page.words


def test_series_can_be_chosen_and_totals_come_first(market: Page) -> None:
    choices = [a["value"] for a in market.all("option")]
    assert choices[:6] == ["NEM", "NSW", "QLD", "SA", "TAS", "VIC"]
    views = [a for a in market.all("figure") if a.get("data-group") == "series"]
    shown = {a["data-view"] for a in views if "hidden" not in a}
    assert {a["data-view"] for a in views} == set(choices[:6])
    assert shown == {"NEM"}


def test_one_series_needs_no_selector(page: Page) -> None:
    assert page.all("select") == []
    assert not any("data-view" in a for _, a in page.elements)


@pytest.mark.parametrize(("origin", "hours"), [("2014-10-05", 23), ("2014-04-06", 25)])
def test_days_on_which_clocks_change_are_whole(
    make_report: MakeReport, origin: str, hours: int
) -> None:
    found = Page(render(make_report(origin=origin)))
    assert f"has {hours} hours, since clocks go" in found.words
    assert len(found.chart("forecast-0")["x"]["values"]) >= 14 * 48 + 2 * hours - 2
    rows = re.findall(r"\b\d\d:00 AE[DS]T (?=\d)", found.words.split("Every hour")[1])
    assert len(set(rows)) >= hours


def test_several_days_are_named_by_day(make_report: MakeReport) -> None:
    found = Page(render(make_report(days=3)))
    assert "Wednesday 10 December 2014 to Friday 12 December 2014" in found.words
    assert "the 3 days add up to" in found.words
    assert "Thu 11 00:00" in found.words


@pytest.mark.parametrize(
    "changes",
    [
        {"effects": ()},
        {"recent": pd.DataFrame()},
        {"errors": pd.DataFrame()},
        {"evaluations": ()},
        {"notes": (), "hyperparameters": {}, "seconds": {}, "environment": {}},
        {"effects": (), "recent": pd.DataFrame(), "errors": pd.DataFrame(), "evaluations": ()},
    ],
    ids=["effects", "recent", "errors", "evaluations", "facts", "most"],
)
def test_what_is_missing_is_left_out(report: ForecastReport, changes: dict[str, object]) -> None:
    found = Page(render(replace(report, **changes)))  # type: ignore[arg-type]
    assert found.open == []
    assert "The forecast in numbers" in found.words
    assert ("What the model learned" in found.words) == ("effects" not in changes)
    assert ("There is no backtest" in found.words) == ("evaluations" in changes)


def test_a_market_without_a_backtest_is_still_a_report(market_report: ForecastReport) -> None:
    bare = replace(
        market_report, effects=(), recent=pd.DataFrame(), errors=pd.DataFrame(), evaluations=()
    )
    found = Page(render(bare))
    assert found.open == []
    assert len([a for a in found.all("figure") if a.get("data-group") == "series"]) == 6


def test_hostile_text_stays_text(report: ForecastReport) -> None:
    effect = report.effects[3]
    assert isinstance(effect, Effect)
    effect = replace(effect, title=HOSTILE, unit=HOSTILE)
    changes: dict[str, object] = {
        "notes": (HOSTILE,),
        "template_summary": HOSTILE,
        "hyperparameters": {HOSTILE: HOSTILE},
        "environment": {HOSTILE: HOSTILE},
        "effects": (effect,),
        "dataset": msgspec.structs.replace(report.dataset, origin=HOSTILE),
        "logical_model": msgspec.structs.replace(report.logical_model, title=HOSTILE),
        "evaluations": tuple(
            msgspec.structs.replace(e, contender=HOSTILE, protocol=HOSTILE)
            for e in report.evaluations[:1]
        ),
    }
    html = render(replace(report, **changes))  # type: ignore[arg-type]
    found = Page(html)
    assert found.open == []
    assert found.all("img") == []
    assert "<script>alert" not in html
    assert found.chart("effect-0")["x"]["title"] == HOSTILE
    assert HOSTILE in found.words


def test_the_same_report_gives_the_same_page(report: ForecastReport) -> None:
    assert render(report) == render(report)


def test_it_is_small_enough_to_send(report: ForecastReport, market_report: ForecastReport) -> None:
    assert len(render(report).encode()) < 400_000
    assert len(render(market_report).encode()) < 1_500_000


def bad_evaluation(contender: str, mape: float, coverage: float) -> Evaluation:
    metrics = tuple(
        Metric(name=name, value=value, subset=subset, count=10)
        for name, value in (("mape", mape), ("coverage", coverage))
        for subset in ("", "day_type=holiday")
    )
    return Evaluation(contender=contender, dataset="d" * 64, protocol="p", metrics=metrics)


@pytest.mark.parametrize(("coverage", "words"), [(0.5, "are too narrow"), (0.99, "are too wide")])
def test_a_bad_model_is_called_so(report: ForecastReport, coverage: float, words: str) -> None:
    pair = (bad_evaluation("model", 0.1, coverage), bad_evaluation("naive", 0.05, 0.9))
    bad = replace(report, evaluations=pair, coherence_error=0.01, notes=())
    found = forecast_words.findings(bad)
    text = " ".join(finding.text for finding in found)
    assert [finding.verdict for finding in found] == ["bad", "bad", "bad", "open"]
    assert "does not beat every baseline" in text
    assert "higher" in text
    assert words in text
    assert "do not add up" in text
    assert "On days of type holiday, naive was better" in text


def test_the_best_baseline_is_the_one_that_the_kpi_says(report: ForecastReport) -> None:
    coverage = Kpi(metric="coverage", direction="higher")
    own, wide, narrow = ("model", 0.9), ("wide", 0.95), ("narrow", 0.4)
    judged = replace(
        report,
        logical_model=msgspec.structs.replace(report.logical_model, kpi=coverage),
        evaluations=tuple(bad_evaluation(name, 0.1, value) for name, value in (own, wide, narrow)),
    )
    text = " ".join(finding.text for finding in forecast_words.findings(judged))
    assert "does not beat every baseline" in text
    assert "that of wide, the best baseline" in text
    assert "On days of type holiday, wide was better" in text


def test_amounts_are_not_called_energy(report: ForecastReport) -> None:
    schema = msgspec.structs.replace(report.schema, unit="pieces", over_time="sum")
    model = msgspec.structs.replace(report.logical_model, schema=schema)
    found = Page(render(replace(report, logical_model=model)))
    assert "pieces" in found.words
    assert "energy" not in found.words.lower()


def test_an_absent_column_is_named(report: ForecastReport) -> None:
    with pytest.raises(DataError, match="forecast: column 'total' is absent"):
        replace(report, forecast=report.forecast.drop(columns="total"))
    with pytest.raises(DataError, match="errors: column 'lead' is absent"):
        replace(report, errors=report.errors.drop(columns="lead"))


def test_a_forecast_without_the_base_step_is_refused(report: ForecastReport) -> None:
    with pytest.raises(DataError, match="no row with step 30min"):
        replace(report, forecast=report.forecast.loc[report.forecast["step"] == "1D"])


def test_other_tasks_are_refused(report: ForecastReport) -> None:
    schema = ScoreSchema(key="id", target="y", event="1", features={"x": Feature(kind="numeric")})
    with pytest.raises(DataError, match="task is score"):
        replace(report, logical_model=msgspec.structs.replace(report.logical_model, schema=schema))


def test_imputed_values_are_counted(report: ForecastReport) -> None:
    dataset: Dataset = msgspec.structs.replace(report.dataset, imputed=1234)
    assert "1,234 values" in Page(render(replace(report, dataset=dataset))).words


def test_measures_say_which_series_they_are_of(
    report: ForecastReport, market_report: ForecastReport
) -> None:
    """Where nothing sums the series, the overall value is about all of them."""

    def subjects(of: ForecastReport) -> list[str]:
        figure = errors_by_day_type(of)
        assert figure is not None
        return [forecast_words.key_figures(of)[2].label, figure.title]

    model = market_report.logical_model
    flat = msgspec.structs.replace(market_report.schema, aggregates={})
    apart = replace(market_report, logical_model=msgspec.structs.replace(model, schema=flat))
    assert subjects(report) == ["MAPE in the backtest", "MAPE by day type"]
    assert subjects(market_report) == ["MAPE in the backtest, NEM", "MAPE by day type: NEM"]
    assert subjects(apart) == ["MAPE in the backtest, all series", "MAPE by day type: all series"]


def test_the_top_is_what_holds_all_series_however_it_is_written(
    market_report: ForecastReport,
) -> None:
    """The page begins with what its overall numbers are about."""
    schema = market_report.schema
    coast = {"Coast": ("NSW", "QLD"), **schema.aggregates}
    table = market_report.forecast
    with_coast = pd.concat([table[table["series"] == "NSW"].assign(series="Coast"), table])
    model = msgspec.structs.replace(
        market_report.logical_model, schema=msgspec.structs.replace(schema, aggregates=coast)
    )
    found = replace(market_report, logical_model=model, forecast=with_coast)
    assert found.series[:3] == ("NEM", "Coast", market_report.series[1])
    assert forecast_words.key_figures(found)[2].label == "MAPE in the backtest, NEM"
    assert forecast_words.headline(found).startswith("NEM: ")


def test_series_are_measured_by_the_kpi(market_report: ForecastReport) -> None:
    model = msgspec.structs.replace(market_report.logical_model, kpi=Kpi(metric="mae"))
    table = overview(replace(market_report, logical_model=model))
    assert table is not None
    assert table.columns[-2:] == ("MAE", "best baseline")
    assert market_report.champion is not None
    for name, row in zip(market_report.series, table.rows, strict=True):
        value = market_report.champion.value("mae", f"series={name}")
        assert row[-2].text == metric_text(market_report, "mae", value)
