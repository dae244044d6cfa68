"""Alerts: found once, delivered once, quiet while nothing changes; through real servers."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from paho.mqtt import subscribe

from loopcast.api import Alert, ConfigurationError, Drift, IntegrityError, NotFoundError
from loopcast.monitor.alerts import AlertBook
from loopcast.monitor.channels import LogChannel, channel_of, deliver
from loopcast.monitor.findings import of_drift
from loopcast.monitor.plan import usual_plan
from loopcast.monitor.traffic import (
    LATENCY_CHANCE,
    VOLUME_CHANCE,
    latency_chances,
    volume_chances,
)

from ...edge.servers import free_port, mosquitto

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KINDS = tuple(usual_plan().rules)


def alert(subject: str = "temperature", **changes: Any) -> Alert:
    plain: dict[str, Any] = {
        "logical_model": "demand", "segment": "", "kind": "input_drift", "subject": subject,
        "severity": "warning", "cause": f"input {subject} has moved", "remedy": "retrain",
        "raised": NOON, "seen": NOON,
    }  # fmt: skip
    return Alert(**(plain | changes))


@pytest.fixture
def book(tmp_path: Path) -> AlertBook:
    return AlertBook(str(tmp_path / "alerts"))


class TestBook:
    def test_an_alert_is_raised_once_and_closes(self, book: AlertBook, tmp_path: Path) -> None:
        later = alert(seen=NOON + timedelta(days=1), raised=NOON + timedelta(days=1))
        assert [a.id for a in book.update("demand", "", KINDS, [alert()])] == [alert().id]
        [noted] = book.update("demand", "", KINDS, [later])
        assert (noted.raised, noted.seen) == (NOON, later.seen)
        assert book.update("demand", "", KINDS, []) == ()
        assert book.open("demand") == ()
        [kept] = (tmp_path / "alerts" / "logical_model=demand" / "closed").iterdir()
        assert msgspec.json.decode(kept.read_bytes(), type=Alert).id == alert().id

    def test_what_was_not_looked_for_stays(self, book: AlertBook) -> None:
        book.update("demand", "", KINDS, [alert(), alert(kind="volume", subject="")])
        book.update("demand", "", ["volume"], [])
        book.update("demand", "north", KINDS, [])
        assert [a.kind for a in book.open("demand")] == ["input_drift"]

    def test_who_knows_is_not_told_again_unless_it_gets_worse(self, book: AlertBook) -> None:
        book.update("demand", "", KINDS, [alert()])
        book.acknowledge("demand", alert().id[:6], "eva")
        assert book.update("demand", "", KINDS, [alert()]) == ()
        [worse] = book.update("demand", "", KINDS, [alert(severity="critical")])
        assert worse.acknowledged_by == ""
        with pytest.raises(NotFoundError, match="0 open alerts of demand begin with 'zz'"):
            book.acknowledge("demand", "zz", "eva")

    def test_the_most_severe_first(self, book: AlertBook) -> None:
        found = [alert("a"), alert("b", severity="critical"), alert("c", severity="notice")]
        book.update("demand", "", KINDS, found)
        assert [a.subject for a in book.open("demand")] == ["b", "a", "c"]

    def test_a_damaged_file_is_named(self, book: AlertBook, tmp_path: Path) -> None:
        book.update("demand", "", KINDS, [alert()])
        [file] = tmp_path.rglob("*.json")
        file.write_bytes(b"{}")
        with pytest.raises(IntegrityError, match=file.name):
            book.open("demand")


class TestFindings:
    def drift(self, **changes: Any) -> Drift:
        plain: dict[str, Any] = {
            "logical_model": "demand", "segment": "", "version": "0" * 16, "of": "input",
            "subject": "temperature", "measure": "ks", "value": 0.2, "threshold": 0.1,
            "p_value": 0.0001, "start": NOON, "end": NOON + timedelta(days=7),
        }  # fmt: skip
        return Drift(**(plain | changes))

    def test_the_strongest_measure_of_an_input_speaks(self) -> None:
        drifts = [
            self.drift(),
            self.drift(measure="outside", value=0.3),
            self.drift(subject="price", value=0.05),
            self.drift(of="output", subject="mean", value=0.15),
        ]
        found = of_drift(drifts, NOON)
        assert {(a.kind, a.subject, a.severity) for a in found} == {
            ("input_drift", "temperature", "warning"),
            ("output_drift", "mean", "warning"),
        }
        assert "30.0% of its values are none that the training had" in found[0].cause
        assert found[0].evidence["p_value"] == 0.0001

    def test_unchanged_volume_and_latency_raise_hardly_an_alarm(self) -> None:
        noise = np.random.default_rng(0)
        days = alarms = 0
        for _ in range(30):
            volume = noise.poisson(noise.normal(1_000.0, 80.0, 120))
            latency = noise.lognormal(3.0, 0.2, 120)
            alarms += (volume_chances(volume) <= VOLUME_CHANCE).sum()
            alarms += (latency_chances(latency) <= LATENCY_CHANCE).sum()
            days += 2 * 120
        assert alarms / days < 0.005

    def test_a_day_of_half_the_volume_and_one_of_none(self) -> None:
        volume = np.full(30, 1_000) + np.arange(30) % 7 * 10
        volume[[20, 25]] = 500, 0
        assert np.flatnonzero(volume_chances(volume) <= VOLUME_CHANCE).tolist() == [20, 25]
        latency = np.full(30, 20.0)
        latency[22] = 90.0
        assert np.flatnonzero(latency_chances(latency) <= LATENCY_CHANCE).tolist() == [22]


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]], list[int]]]:
    """A real server, what it received, and the answers it gives."""
    received: list[dict[str, Any]] = []
    answers = [204]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answers[0])
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook?token=secret", received, answers
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """A real Mosquitto on a free port."""
    program, port = mosquitto(), free_port()
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen(
        [program, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait()


class TestDelivery:
    def test_by_webhook_once(
        self, book: AlertBook, webhook: tuple[str, list[dict[str, Any]], list[int]]
    ) -> None:
        url, received, _ = webhook
        channels = [channel_of(url), LogChannel()]
        for _ in range(3):
            due = book.update("demand", "", KINDS, [alert()])
            assert deliver(due, channels, book) == ()
        assert [message["id"] for message in received] == [alert().id]
        assert received[0]["cause"] == "input temperature has moved"
        [kept] = book.open("demand")
        assert kept.delivered == (channels[0].name, "log")
        assert "secret" not in channels[0].name

    def test_a_failure_is_said_and_tried_again(
        self, book: AlertBook, webhook: tuple[str, list[dict[str, Any]], list[int]]
    ) -> None:
        url, received, answers = webhook
        answers[0] = 500
        due = book.update("demand", "", KINDS, [alert()])
        [failure] = deliver(due, [channel_of(url)], book)
        assert "did not take alert" in failure
        assert "secret" not in failure
        answers[0] = 204
        due = book.update("demand", "", KINDS, [alert()])
        assert deliver(due, [channel_of(url)], book) == ()
        assert len(received) == 2

    def test_by_mqtt(self, book: AlertBook, broker: int, caplog: pytest.LogCaptureFixture) -> None:
        heard: list[Any] = []
        subscriber = threading.Thread(
            target=lambda: heard.append(
                subscribe.simple("plant/#", hostname="127.0.0.1", port=broker)  # type: ignore[no-untyped-call]
            )
        )
        subscriber.start()
        time.sleep(0.5)
        due = book.update("demand", "", KINDS, [alert()])
        assert deliver(due, [channel_of(f"mqtt://127.0.0.1:{broker}/plant")], book) == ()
        subscriber.join(timeout=30)
        assert heard[0].topic == f"plant/demand/{alert().id}"
        assert json.loads(heard[0].payload)["severity"] == "warning"
        assert [each for each in caplog.records if each.levelname == "ERROR"] == []

    def test_a_broker_that_is_not_there(self, book: AlertBook) -> None:
        due = book.update("demand", "", KINDS, [alert()])
        [failure] = deliver(due, [channel_of("mqtt://127.0.0.1:1/plant")], book)
        assert failure.startswith("mqtt://127.0.0.1:1/plant did not take alert")

    def test_a_channel_that_is_none(self) -> None:
        with pytest.raises(ConfigurationError, match="'ftp' is no channel of alerts"):
            channel_of("ftp://x")


def test_an_alert_comes_back_from_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(alert()), type=Alert) == alert()
