"""The configuration of an agent: a TOML file, strictly read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import msgspec

from loopcast_edge.agent.errors import SettingsError
from loopcast_edge.wire.codec import DeviceName

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Seconds = Annotated[float, msgspec.Meta(gt=0, le=604_800)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: unknown keys are errors."""


class Broker(_Part, frozen=True):
    """Where the centre is reached; without it, the agent works alone.

    Attributes
    ----------
    ca, certificate, key
        Files of TLS: what the broker's certificate is checked against, and the device's own.
    enrolment_port
        Where those are let in at the same host who have an invitation, and no certificate yet.
    username, password_file
        Where the broker asks for them; the password is the first line of the file.
    """

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 8883
    ca: Optional[Path] = None
    certificate: Optional[Path] = None
    key: Optional[Path] = None
    enrolment_port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 8884
    username: Optional[str] = None
    password_file: Optional[Path] = None
    keepalive_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 60

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if self.certificate is not None and self.ca is None:
            raise ValueError("a certificate needs ca, against which the broker's is checked")


class Source(_Part, frozen=True):
    """Where measurements come from.

    Attributes
    ----------
    kind
        ``mqtt``: a topic of a local broker; ``lines``: JSON lines from standard input or a pipe;
        ``replay``: a file of JSON lines, from its beginning, by its own clock.
    path
        Of the pipe or file; standard input where it is left out.
    topic, host, port
        Of the local broker.
    """

    kind: Literal["mqtt", "lines", "replay"] = "lines"
    path: Optional[Path] = None
    topic: str = "measurements"
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 1883

    def __post_init__(self) -> None:
        if self.kind == "replay" and self.path is None:
            raise ValueError("a replay needs the path of its file")


class Sink(_Part, frozen=True):
    """Where predictions go, beside home: a file of JSON lines, a topic of the local broker.

    Attributes
    ----------
    path
        Appended to; standard output where neither path nor topic is given.
    most_bytes
        A longer file is renamed to ``PATH.1``, in place of the one before.
    topic
        On the broker of the source.
    """

    path: Optional[Path] = None
    most_bytes: Annotated[int, msgspec.Meta(ge=4096)] = 16_777_216
    topic: Optional[str] = None


class Settings(_Part, frozen=True):
    """All that an agent is told.

    Attributes
    ----------
    device
        Its name, by which the broker knows it too.
    state
        Folder that it writes, and nothing else.
    root
        File with the first root of keys that it trusts, as the centre wrote it.
    keys
        File with news of the keys, as the centre publishes them, for a device without a broker.
    local
        Packages beside it that it runs without a centre: folders with a ``manifest`` and a
        ``model.tflite``. They have to be signed like all others.
    most_rows
        Events and outcomes that wait for the centre; older ones are condensed.
    uplink_s, report_s
        How often what waits is sent, and the state reported, in seconds.
    log_level
        For standard error.
    """

    device: DeviceName
    state: Path
    root: Optional[Path] = None
    keys: Optional[Path] = None
    local: tuple[Path, ...] = ()
    broker: Optional[Broker] = None
    source: Source = Source()
    sink: Sink = Sink()
    most_rows: Annotated[int, msgspec.Meta(ge=100, le=10_000_000)] = 50_000
    uplink_s: Seconds = 30.0
    report_s: Seconds = 300.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def read(path: Path) -> Settings:
    """Return the settings in a file; paths in it are relative to its folder.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a key is unknown, missing or of another type; the message
        says which and where.
    """
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
        return msgspec.convert(content, Settings, dec_hook=_path_in(path.resolve().parent))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None


def first_root(settings: Settings) -> Optional[bytes]:
    """Return the root of keys that the device trusts from the start, as it is in its file.

    Raises
    ------
    SettingsError
        If the file cannot be read.
    """
    if settings.root is None:
        return None
    try:
        return settings.root.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"root {settings.root}: {error.strerror}; 'loopcast-edge enrol' writes it"
        ) from None


def _path_in(folder: Path) -> Any:
    """Read paths of the file, which are relative to its folder."""

    def read_as(kind: type, value: Any) -> Any:
        if issubclass(kind, Path) and isinstance(value, str):
            return folder / value
        raise TypeError(f"expected {kind.__name__}")

    return read_as
