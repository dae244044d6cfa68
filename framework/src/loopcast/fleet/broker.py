"""Configuration of a Mosquitto that lets each device do what it has to, and no more.

Clients are told apart by identifiers, and one that takes another's ends its connection. A device's
identifier is therefore the name in its certificate, whatever it says. The centre, of which several
may run, chooses its own, and connects to a port that takes no other certificate.

Who is not a device yet is let in by a Mosquitto of its own, where strangers choose identifiers, as
they have to, and can take none of a device's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from loopcast.api import ConfigurationError
from loopcast.fleet.authority import CENTRE, Authority, make_identity, revocations
from loopcast.store.files import write_all_atomically, write_atomically
from loopcast_edge.wire import Sealed, topics

FOR_ALL = (topics.KEYS, f"{topics.ROOT}/manifest/+", f"{topics.ROOT}/file/#")
"""What every device reads."""

LARGEST = 280_000
"""Bytes of a packet: the longest message of the wire, and its topic."""

_IDENTITY, _CENTRE = "broker.pem", "centre.crt"

QUEUED = 20_000
"""Messages that the broker keeps for the centre while it is away."""

STRANGERS = 200
"""Connections at once to the broker of enrolment."""

MEMORY = 64 * 2**20
"""Bytes that the broker of enrolment may take."""

LONGEST_SILENCE_S = 90
"""The longest keepalive at the broker of enrolment. Clients ask for 60; where 60 was the most, too,
Mosquitto 2.0.21 sent some of them away within a second, 'has exceeded timeout'."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Where a broker listens.

    Attributes
    ----------
    port, centre
        Where devices connect, and where the centre does.
    hosts
        Names and addresses under which clients reach it, for its certificate.
    address
        The interface; all of them where empty.
    user
        The system's user that it runs as; Mosquitto's own where empty.
    enrolment
        Port of the broker of enrolment, for those who have no certificate; the centre, which has
        one, connects to the port after it.

    Raises
    ------
    ConfigurationError
        When two of these ports are the same.
    """

    port: int = 8883
    centre: int = 8886
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1")
    address: str = ""
    user: str = ""
    enrolment: int = 8884

    def __post_init__(self) -> None:
        ports = (self.port, self.centre, self.enrolment, self.enrolment + 1)
        if len(set(ports)) < len(ports):
            raise ConfigurationError(
                f"devices, centre, enrolment and the centre there need four ports: {ports} are not"
            )


def access_list() -> str:
    """Return who may read and write what, in Mosquitto's language.

    ``%u`` is the user name, which is the common name of the client's certificate.

    Examples
    --------
    >>> "pattern read loopcast/1/device/%u/desired" in access_list()
    True
    """
    own = f"{topics.ROOT}/device/%u"
    rules = [
        *(f"pattern read {own}/{channel}" for channel in topics.DOWNWARD),
        *(f"pattern read {topic}" for topic in FOR_ALL),
        *(f"pattern write {own}/{channel}" for channel in topics.UPWARD),
        "",
        f"user {CENTRE}",
        f"topic readwrite {topics.ROOT}/#",
    ]
    return "\n".join(rules) + "\n"


def strangers_list() -> str:
    """Return what those may read and write who have no certificate.

    ``%c`` is the client's identifier, which each draws at random.

    Examples
    --------
    >>> print(strangers_list(), end="")
    pattern write loopcast/1/enrol/request/%c
    pattern read loopcast/1/enrol/answer/%c
    """
    own = {each: topics.enrolment("%c", each) for each in ("request", "answer")}
    return f"pattern write {own['request']}\npattern read {own['answer']}\n"


def write_broker(
    folder: Path,
    authority: Authority,
    centre: bytes,
    listener: Listener,
    revoked: Iterable[bytes] = (),
) -> Path:
    """Write everything that a Mosquitto needs into a folder, all of it or nothing.

    Beside it is what the broker of enrolment needs, ``enrolment.conf``. The certificate that both
    show is made anew each time.

    Parameters
    ----------
    centre
        The centre's certificate, in PEM.
    revoked
        Certificates that no longer hold, in PEM. After a change, write anew and start Mosquitto
        again.

    Returns
    -------
    Path
        The configuration, for ``mosquitto -c``.
    """
    (folder / "data").mkdir(parents=True, exist_ok=True)
    files = {
        folder / "authority.crt": authority.pem,
        folder / _CENTRE: centre,
        folder / "revoked.crl": revocations(authority, revoked),
        folder / "access.acl": access_list().encode(),
        folder / "mosquitto.conf": _configuration(folder, listener).encode(),
        folder / "strangers.acl": strangers_list().encode(),
        folder / "desk.acl": f"user {CENTRE}\ntopic readwrite {topics.ENROL}/#\n".encode(),
        folder / "enrolment.conf": _enrolment(folder, listener).encode(),
    }
    own = make_identity(authority, listener.hosts[0], listener.hosts)
    write_atomically(folder / _IDENTITY, own.key + own.certificate, mode=0o600)
    write_all_atomically(files)
    return folder / "mosquitto.conf"


def _configuration(folder: Path, listener: Listener) -> str:
    return _lines(
        "allow_anonymous false",
        f"acl_file {folder / 'access.acl'}",
        *_by_certificate(folder, listener, listener.port, "authority.crt"),
        f"crlfile {folder / 'revoked.crl'}",
        "use_username_as_clientid true",
        *_by_certificate(folder, listener, listener.centre, _CENTRE),
        f"max_packet_size {LARGEST}",
        f"max_queued_messages {QUEUED}",
        "max_inflight_messages 200",
        "persistent_client_expiration 60d",
        "persistence true",
        f"persistence_location {folder / 'data'}/",
        "autosave_interval 60",
        f"pid_file {folder / 'mosquitto.pid'}",
        *_user(listener),
    )


def _enrolment(folder: Path, listener: Listener) -> str:
    """Keep nothing, neither for strangers nor on the disk, and little at any moment."""
    return _lines(
        "per_listener_settings true",
        "persistence false",
        "retain_available false",
        f"max_packet_size {Sealed.most_bytes + 512}",
        "max_queued_messages 100",
        f"max_keepalive {LONGEST_SILENCE_S}",
        "persistent_client_expiration 1h",
        f"memory_limit {MEMORY}",
        f"pid_file {folder / 'enrolment.pid'}",
        *_user(listener),
        *_listening(folder, listener, listener.enrolment),
        "allow_anonymous true",
        f"max_connections {STRANGERS}",
        f"acl_file {folder / 'strangers.acl'}",
        *_by_certificate(folder, listener, listener.enrolment + 1, _CENTRE),
        "allow_anonymous false",
        f"acl_file {folder / 'desk.acl'}",
    )


def _by_certificate(folder: Path, listener: Listener, port: int, trusted: str) -> list[str]:
    """Listen to those whom a certificate vouches for, each under the name in its own."""
    return [
        *_listening(folder, listener, port),
        f"cafile {folder / trusted}",
        "require_certificate true",
        "use_identity_as_username true",
    ]


def _listening(folder: Path, listener: Listener, port: int) -> list[str]:
    return [
        f"listener {port} {listener.address}".rstrip(),
        f"certfile {folder / _IDENTITY}",
        f"keyfile {folder / _IDENTITY}",
    ]


def _user(listener: Listener) -> list[str]:
    return [f"user {listener.user}"] if listener.user else []


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
