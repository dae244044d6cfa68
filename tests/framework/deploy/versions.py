"""Versions with real bundles in a real home, for the tests of releases and of what governs them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

from msgspec.structs import replace

from loopcast.api import (
    Evaluation,
    GateResult,
    LogicalModel,
    Manifest,
    Metric,
    PluginOrigin,
    Policy,
    PolicyRow,
    Questionnaire,
    RiskAnswers,
    RiskClass,
    SignOff,
    Validation,
    VersionId,
)
from loopcast.api.risk import Audience, Impact, Lifetime, PersonalData, Reversibility
from loopcast.deploy.bundle import encode_bundle, version_of, write_bundles
from loopcast.develop.documentation import ALTERNATIVE_FILE
from loopcast.store.catalog import Registration
from loopcast.store.home import Home, open_home

from ..store.builders import NOON, dataset, digest
from ..store.builders import logical_model as bare_model

ANSWERS = RiskAnswers(
    audience="internal",
    impact="minor",
    lifetime="weeks",
    reversibility="reversible",
    personal_data="none",
)
MODEL = replace(bare_model(), purpose="to test", fallback="ask a person", risk=ANSWERS)


def questionnaire(answer: RiskClass = "low") -> Questionnaire:
    """Every answer leads to one class."""
    kinds = (Audience, Impact, Lifetime, Reversibility, PersonalData)
    names = Questionnaire.__struct_fields__
    return Questionnaire(
        **{
            name: dict.fromkeys(get_args(kind), answer)
            for name, kind in zip(names, kinds, strict=True)
        }
    )


def policy(row: PolicyRow) -> Policy:
    """A policy that demands the same of everyone."""
    classes = dict.fromkeys(get_args(RiskClass), row)
    return Policy(name="test", questions=questionnaire(), classes=classes)


STRICT = PolicyRow(
    gates={"size": {"megabytes": 10}},
    sign_offs={"champion": ("owner", "validator")},
    documentation=("purpose",),
)
FREE = PolicyRow(release="automatic")


def make_home(folder: Path, *, model: LogicalModel = MODEL, catalog: str = "") -> Home:
    """A home with a logical model."""
    home = open_home(folder, catalog=catalog)
    home.catalog.put_logical_model(model)
    return home


def add(
    home: Home, number: int, segment: str = "", *, mape: float = 3.0, alternative: str = ""
) -> VersionId:
    """Register a version with a bundle of two files, and its label where it is an alternative."""
    manifest = Manifest(
        logical_model=MODEL.name,
        segment=segment,
        template="credit.scorecard",
        plugin=PluginOrigin(plugin="credit", package="loopcast-credit", package_version="0.1"),
        hyperparameters={"number": number},
        recipe=digest(number),
        seed=1,
        datasets=(dataset(),),
        environment={"numpy": "2.4.6"},
        files={},
    )
    files = {"model.json": f"{segment} {number}".encode(), "notes.md": b"# notes"}
    files |= {ALTERNATIVE_FILE: alternative.encode()} if alternative else {}
    bundle = encode_bundle(manifest, files)
    write_bundles(home.artifacts, [bundle])
    version = version_of(bundle.manifest, bundle.digest, NOON + timedelta(seconds=number))
    evaluation = Evaluation(
        contender="scorecard",
        dataset=dataset().fingerprint,
        protocol="held out",
        metrics=(Metric(name="mape", value=mape, count=100),),
    )
    item = Registration(version=version, datasets=(dataset(),), evaluations=(evaluation,))
    home.catalog.register([item])
    return version.id


def validated(version: VersionId, row: PolicyRow = STRICT, *, passed: bool = True) -> Validation:
    """A validation by the gates of a row."""
    result = GateResult(
        gate="size", test="bundle", passed=passed, expectation="at most 10 MB", measured="12 MB"
    )
    return Validation(
        version=version, at=datetime.now(UTC), by="loopcast", policy=row.digest, results=(result,)
    )


def signed(version: VersionId, role: str, by: str) -> SignOff:
    """A sign-off for the move to champion."""
    return SignOff(
        version=version,
        move="champion",
        role=role,
        by=by,
        at=datetime.now(UTC),
        statement="looked at it",
    )


def damage(home: Home, version: VersionId) -> None:
    """Change one byte of a version's model, as a bad disk does."""
    manifest = home.catalog.version(version).manifest
    folder = Path(home.artifacts_url)
    from loopcast.deploy.bundle import read_manifest

    key = read_manifest(home.artifacts, manifest).files["model.json"].sha256
    file = folder / key[:2] / key
    file.chmod(0o644)
    file.write_bytes(file.read_bytes() + b"!")
