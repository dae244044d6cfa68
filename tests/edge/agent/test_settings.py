from __future__ import annotations

from pathlib import Path

import pytest

from loopcast_edge.agent.errors import SettingsError
from loopcast_edge.agent.settings import Broker, Settings, read

WHOLE = """
device = "meter-7"
state = "state"
root = "/etc/loopcast/root"

[broker]
host = "broker.example"
ca = "ca.pem"
certificate = "meter-7.pem"
key = "meter-7.key"

[source]
kind = "replay"
path = "day.jsonl"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "agent.toml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    found = read(write(tmp_path, WHOLE))
    assert found.state == tmp_path / "state"
    assert found.root == Path("/etc/loopcast/root")
    assert found.source.path == tmp_path / "day.jsonl"
    assert found.broker is not None
    assert found.broker.port == 8883


def test_little_is_needed(tmp_path: Path) -> None:
    found = read(write(tmp_path, 'device = "a"\nstate = "s"\n'))
    assert found == Settings(device="a", state=tmp_path / "s")
    assert found.broker is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('state = "s"', "device"),
        ('device = "a/b"\nstate = "s"', "device"),
        ('device = "a"\nstate = "s"\ncolour = 1', "colour"),
        ('device = "a"\nstate = 7', "state"),
        ('device = "a"\nstate = "s"\nuplink_s = 0', "uplink_s"),
        ('device = "a"\nstate = "s"\n[broker]\nhost = "h"\nkey = "k"', "certificate"),
        ('device = "a"\nstate = "s"\n[source]\nkind = "replay"', "replay"),
        ("device = ", "Invalid value"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsError, match=said) as error:
        read(path)
    assert str(path) in str(error.value)
    assert error.value.exit_code == 78


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read(tmp_path / "agent.toml")


def test_no_password_is_in_the_settings() -> None:
    assert "password" not in str(Broker(host="h")).replace("password_file", "")
