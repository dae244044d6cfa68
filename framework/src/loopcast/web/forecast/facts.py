"""How a forecast was made: labels and texts for those who check or repeat it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from loopcast.web import formats

if TYPE_CHECKING:
    from loopcast.web.forecast.report import ForecastReport

Facts = list[tuple[str, str]]


def data(report: ForecastReport) -> Facts:
    """Return what is known of the data."""
    dataset = report.dataset
    period = (
        f"{_utc(dataset.start)} to {_utc(dataset.end)}" if dataset.start and dataset.end else ""
    )
    facts = [
        ("Dataset", dataset.name),
        ("Origin", dataset.origin),
        ("Period", period),
        ("Observations", formats.number(dataset.rows, 0)),
        ("Imputed", f"{formats.number(dataset.imputed, 0)} values"),
        ("Fingerprint (SHA-256)", dataset.fingerprint),
    ]
    return [(label, text) for label, text in facts if text]


def _utc(time: object) -> str:
    stamp = pd.Timestamp(str(time))
    return f"{stamp:%Y-%m-%d %H:%M}{formats.NBSP}{stamp.tzname() or ''}".rstrip()


def model(report: ForecastReport) -> Facts:
    """Return what was forecast, and by what."""
    model, version = report.logical_model, report.version
    facts = [
        ("Logical model", model.name),
        ("Purpose", model.purpose),
        ("Owner", model.owner),
        ("Method", report.template_summary),
        ("Template", version.template),
        ("Version", f"{version.id} ({report.stage}), trained {_utc(version.created)}"),
        ("Segment", version.segment),
        ("Manifest (SHA-256)", version.manifest),
        ("Recipe (SHA-256)", version.recipe),
    ]
    return [(label, text) for label, text in facts if text]


def protocol(report: ForecastReport) -> Facts:
    """Return how the version was compared."""
    if report.champion is None:
        return [("Protocol", "no backtest")]
    counts = [m.count for m in report.champion.metrics if not m.subset and m.count]
    return [
        ("Protocol", report.champion.protocol),
        ("Contenders", ", ".join(e.contender for e in report.evaluations)),
        ("Scored values", formats.number(max(counts), 0) if counts else formats.MISSING),
        ("Fingerprint of the data", report.champion.dataset),
    ]


def run(report: ForecastReport) -> Facts:
    """Return when and how the forecast was made."""
    return [
        ("Origin", formats.moment(report.origin)),
        ("Time zone", formats.zone(report.origin)),
        ("Made at", _utc(report.created)),
        ("Seed", str(report.seed)),
        ("Largest relative coherence error", formats.scientific(report.coherence_error)),
    ]


def seconds(report: ForecastReport) -> Facts:
    """Return how long each stage took."""
    return [(name, formats.duration(value)) for name, value in report.seconds.items()]


def hyperparameters(report: ForecastReport) -> Facts:
    """Return the template's settings."""
    return [(name, str(value)) for name, value in report.hyperparameters.items()]
