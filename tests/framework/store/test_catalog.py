"""Registration and queries of the catalog, on both backends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from loopcast.api import (
    Dataset,
    Evaluation,
    IntegrityError,
    InvalidRecordError,
    Metric,
    NotFoundError,
    StoreError,
)
from loopcast.store.catalog import Catalog, Registration, VersionFilter

from .builders import (
    NOON,
    dataset,
    digest,
    evaluation,
    logical_model,
    registration,
    registrations,
    version,
)

PROTOCOL = evaluation(1.0).protocol


class TestLogicalModels:
    def test_round_trip(self, catalog: Catalog) -> None:
        assert catalog.logical_model("demand") == logical_model()
        assert catalog.logical_models() == (logical_model(),)

    def test_a_record_replaces_the_earlier_one(self, catalog: Catalog) -> None:
        changed = replace(logical_model(), owner="someone else")
        catalog.put_logical_model(changed)
        assert catalog.logical_models() == (changed,)

    def test_unknown_names_the_nearest(self, catalog: Catalog) -> None:
        with pytest.raises(NotFoundError, match=r"no logical model 'demnd'.*nearest is 'demand'"):
            catalog.logical_model("demnd")


class TestRegister:
    def test_everything_comes_back(self, catalog: Catalog) -> None:
        item = registration(version(1, segment="NSW1"))
        assert catalog.register([item]) == (item.version.id,)
        identifier = item.version.id
        assert catalog.version(identifier) == item.version
        assert catalog.evaluations(identifier) == item.evaluations
        assert catalog.baselines(identifier) == item.baselines
        assert catalog.gates(identifier) == item.gates
        assert catalog.datasets(identifier) == item.datasets
        assert catalog.stage(identifier) == "candidate"

    def test_again_changes_nothing(self, catalog: Catalog) -> None:
        items = registrations(3)
        catalog.register(items[:2])
        again = replace(items[0], version=replace(items[0].version, created=NOON))
        assert catalog.register([again, items[2], items[2]]) == (items[2].version.id,)
        assert catalog.count() == 3
        assert catalog.version(items[0].version.id) == items[0].version

    def test_nothing_to_register(self, catalog: Catalog) -> None:
        assert catalog.register([]) == ()

    def test_unknown_logical_model_registers_nothing(self, catalog: Catalog) -> None:
        strange = registration(version(2, model="unheard"))
        with pytest.raises(NotFoundError, match="logical model 'unheard' is not in the catalog"):
            catalog.register([registration(version(1)), strange])
        assert catalog.count() == 0

    def test_an_id_with_another_manifest_is_refused(self, catalog: Catalog) -> None:
        item = registration(version(1))
        catalog.register([item])
        twin = item.version.manifest[:16] + digest("other")[16:]
        other = replace(item, version=replace(item.version, manifest=twin))
        with pytest.raises(IntegrityError, match="two manifests begin alike"):
            catalog.register([other])

    def test_a_dataset_keeps_its_first_name(self, catalog: Catalog) -> None:
        first, second = registrations(2)
        renamed = replace(second, datasets=(replace(second.datasets[0], name="renamed"),))
        catalog.register([first])
        catalog.register([renamed])
        assert catalog.datasets(second.version.id) == first.datasets

    def test_more_than_one_statement_holds(self, catalog: Catalog) -> None:
        items = [
            Registration(version=version(number), datasets=(dataset(),)) for number in range(10_050)
        ]
        assert len(catalog.register(items)) == 10_050
        assert catalog.count() == 10_050

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_record_survives(self, catalog: Catalog, data: st.DataObject) -> None:
        item = data.draw(_registrations())
        catalog.register([item])
        identifier = item.version.id
        assert catalog.version(identifier) == item.version
        assert catalog.evaluations(identifier) == item.evaluations
        assert catalog.datasets(identifier) == item.datasets


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
_ZONES = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))
_MOMENTS = st.datetimes(datetime(1900, 1, 2), datetime(2200, 1, 1), timezones=_ZONES)
_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
_UNIQUE = count()  # an example that is tried again is another record
_COUNTS = st.integers(0, 2**63 - 1)


@st.composite
def _registrations(draw: st.DrawFn) -> Registration:
    fingerprint = digest(f"data {next(_UNIQUE)}")
    number = draw(st.integers(0, 10**9))
    values = st.floats(allow_nan=False) | st.none()
    names = draw(st.lists(st.tuples(_NAMES, _TEXT), unique=True, max_size=8))
    metrics = tuple(
        Metric(name=name, subset=subset, value=draw(values), count=draw(_COUNTS))
        for name, subset in names
    )
    data = Dataset(
        name=draw(_NAMES),
        fingerprint=fingerprint,
        origin=draw(_TEXT),
        rows=draw(_COUNTS),
        start=draw(_MOMENTS | st.none()),
        end=draw(_MOMENTS | st.none()),
        imputed=draw(_COUNTS),
    )
    judged = Evaluation(
        contender=draw(_TEXT), dataset=fingerprint, protocol=draw(_TEXT), metrics=metrics
    )
    made = replace(version(number), dataset=fingerprint, created=draw(_MOMENTS))
    unique = digest(f"version {next(_UNIQUE)}")
    return Registration(
        version=replace(made, id=unique[:16], manifest=unique),
        datasets=(data,),
        evaluations=(judged,),
    )


class TestRegistrationRefuses:
    def test_a_metric_that_appears_twice(self) -> None:
        twice = replace(evaluation(1.0), metrics=(Metric(name="mape", value=1.0),) * 2)
        with pytest.raises(InvalidRecordError, match="a metric appears twice for the same subset"):
            replace(registration(version(1)), baselines=(twice,))

    def test_an_evaluation_on_data_that_is_not_named(self) -> None:
        with pytest.raises(InvalidRecordError, match="not among the datasets of version"):
            replace(registration(version(1)), evaluations=(evaluation(1.0, data="other"),))

    def test_a_version_trained_on_data_that_is_not_named(self) -> None:
        with pytest.raises(InvalidRecordError, match="not among its datasets"):
            registration(version(1), data="other")

    def test_a_moment_without_a_zone(self, catalog: Catalog) -> None:
        local = replace(version(1), created=datetime(2026, 1, 1))
        with pytest.raises(StoreError, match="2026-01-01 00:00:00 has no time zone"):
            catalog.register([registration(local)])
        assert catalog.count() == 0


class TestFind:
    def test_by_the_recipe_of_each_segment(self, catalog: Catalog) -> None:
        items = [
            registration(version(number, segment=segment, recipe=recipe))
            for number, (segment, recipe) in enumerate([("a", 1), ("b", 2), ("a", 2), ("a", 1)])
        ]
        catalog.register(items)
        found = catalog.find("demand", {"a": digest(1), "b": digest(2), "c": digest(1)})
        assert found == {"a": items[3].version, "b": items[1].version}

    def test_not_in_another_logical_model(self, catalog: Catalog) -> None:
        catalog.register([registration(version(1, recipe="r"))])
        assert catalog.find("other", {"": digest("r")}) == {}


class TestVersion:
    def test_by_its_beginning(self, catalog: Catalog) -> None:
        catalog.register(registrations(5))
        for item in registrations(5):
            assert catalog.version(item.version.id[:12]) == item.version

    def test_several_begin_alike(self, catalog: Catalog) -> None:
        catalog.register(registrations(40))
        first = sorted(item.version.id for item in registrations(40))[:3]
        with pytest.raises(NotFoundError, match=rf"'' begins several versions: {', '.join(first)}"):
            catalog.version("")

    def test_unknown_names_the_nearest(self, catalog: Catalog) -> None:
        catalog.register(registrations(1))
        [known] = (item.version.id for item in registrations(1))
        with pytest.raises(NotFoundError, match=f"no version begins with.*nearest is {known}"):
            catalog.version(known[:8] + "x")

    def test_empty_catalog(self, catalog: Catalog) -> None:
        with pytest.raises(NotFoundError, match="the catalog holds no version"):
            catalog.version("abc")


class TestVersions:
    def test_newest_first_in_pages(self, catalog: Catalog) -> None:
        catalog.register(registrations(25)[::-1])
        pages = [catalog.versions(limit=10, offset=offset) for offset in (0, 10, 20, 30)]
        assert [len(page) for page in pages] == [10, 10, 5, 0]
        expected = [item.version for item in registrations(25)][::-1]
        assert [item.version for page in pages for item in page] == expected

    def test_summary(self, catalog: Catalog) -> None:
        catalog.register(registrations(1))
        [found] = catalog.versions()
        assert (found.stage, found.dataset) == ("candidate", "data")
        assert found.metrics == {
            "mape": 1.0, "rmse": 2.0, "mae": 3.0, "pinball": 4.0, "coverage": 5.0
        }  # fmt: skip
        assert list(found.metrics) == ["mape", "rmse", "mae", "pinball", "coverage"]

    def test_filters(self, catalog: Catalog) -> None:
        catalog.put_logical_model(logical_model("credit"))
        plain, other_segment = version(1), version(2, segment="b")
        other_template, other_model = version(3, template="x.y"), version(4, model="credit")
        known = [plain, other_segment, other_template, other_model]
        catalog.register([registration(item) for item in known])
        catalog.release("demand", "b", other_segment.id, stage="champion", by="me", reason="")

        def listed(**which: str) -> list[str]:
            chosen = VersionFilter(**which)  # type: ignore[arg-type]
            found = [item.version.id for item in catalog.versions(chosen)]
            assert catalog.count(chosen) == len(found)
            return found[::-1]

        assert listed() == [item.id for item in known]
        assert listed(logical_model="credit") == [other_model.id]
        assert listed(logical_model="demand", segment="") == [plain.id, other_template.id]
        assert listed(template="x.y") == [other_template.id]
        assert listed(stage="champion") == [other_segment.id]
        assert listed(stage="candidate") == [plain.id, other_template.id, other_model.id]
        assert listed(stage="retired") == []

    def test_a_segment_needs_its_logical_model(self) -> None:
        with pytest.raises(InvalidRecordError, match="a segment is one of a logical model"):
            VersionFilter(segment="a")


class TestBest:
    def test_in_both_directions(self, catalog: Catalog) -> None:
        items = registrations(5)
        catalog.register(items)
        assert catalog.best(digest("data"), "mape", "lower") == [(items[0].version, 1.0)]
        top = catalog.best(digest("data"), "coverage", "higher", limit=2)
        assert top == [(items[4].version, 9.0), (items[3].version, 8.0)]

    def test_baselines_and_undefined_values_are_left_out(self, catalog: Catalog) -> None:
        catalog.register(registrations(1))
        assert len(catalog.best(digest("data"), "mape", "higher", limit=9)) == 1
        subset = "day_type=holiday"
        assert catalog.best(digest("data"), "mape", "lower", subset=subset) == []

    def test_never_over_datasets(self, catalog: Catalog) -> None:
        catalog.register([registration(version(1), 5.0)])
        catalog.register([registration(version(2, data="other"), 1.0, data="other")])
        assert [item.id for item, _ in catalog.best(digest("data"), "mape", "lower", limit=9)] == [
            version(1).id
        ]

    def test_never_over_protocols(self, catalog: Catalog) -> None:
        one, two = registrations(2)
        held_out = replace(two, evaluations=(replace(evaluation(0.1), protocol="held out"),))
        catalog.register([one, held_out])
        with pytest.raises(StoreError, match=f"name one of: held out; {PROTOCOL}"):
            catalog.best(digest("data"), "mape", "lower")
        found = catalog.best(digest("data"), "mape", "lower", protocol="held out")
        assert found == [(two.version, 0.1)]
        with pytest.raises(NotFoundError, match="by 'guess', only by: held out"):
            catalog.best(digest("data"), "mape", "lower", protocol="guess")

    def test_unknown_dataset(self, catalog: Catalog) -> None:
        with pytest.raises(NotFoundError, match="no version was evaluated on a dataset"):
            catalog.best(digest("nowhere"), "mape", "lower")


def test_moments_are_utc(catalog: Catalog) -> None:
    melbourne = timezone(timedelta(hours=11))
    created = datetime(2026, 1, 2, 0, 30, 0, 123_456, tzinfo=melbourne)
    catalog.register([registration(replace(version(1), created=created))])
    found = catalog.version(version(1).id).created
    assert found == created
    assert found.tzinfo is UTC
