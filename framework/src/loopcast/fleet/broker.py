"""Configuration of a Mosquitto that lets each device do what it has to, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from loopcast.fleet.authority import CENTRE, Authority, make_identity, revocations
from loopcast.store.files import create_atomically, write_all_atomically
from loopcast_edge.wire import topics

FOR_ALL = (topics.KEYS, f"{topics.ROOT}/manifest/+", f"{topics.ROOT}/file/#")
"""What every device reads."""

LARGEST = 280_000
"""Bytes of a packet: the longest message of the wire, and its topic."""

_IDENTITY = "broker.pem"

QUEUED = 20_000
"""Messages that the broker keeps for the centre while it is away."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Where a broker listens.

    Attributes
    ----------
    hosts
        Names and addresses under which clients reach it, for its certificate.
    address
        The interface; all of them where empty.
    user
        The system's user that it runs as; Mosquitto's own where empty.
    """

    port: int = 8883
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1")
    address: str = ""
    user: str = ""


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


def write_broker(
    folder: Path, authority: Authority, listener: Listener, revoked: Iterable[bytes] = ()
) -> Path:
    """Write everything that a Mosquitto needs into a folder, all of it or nothing.

    Parameters
    ----------
    revoked
        Certificates that no longer hold, in PEM. After a change, write anew and have Mosquitto
        read it again (SIGHUP).

    Returns
    -------
    Path
        The configuration, for ``mosquitto -c``.
    """
    (folder / "data").mkdir(parents=True, exist_ok=True)
    files = {
        folder / "authority.crt": authority.pem,
        folder / "revoked.crl": revocations(authority, revoked),
        folder / "access.acl": access_list().encode(),
        folder / "mosquitto.conf": _configuration(folder, listener).encode(),
    }
    if not (folder / _IDENTITY).exists():
        own = make_identity(authority, listener.hosts[0], listener.hosts)
        create_atomically(folder / _IDENTITY, own.key + own.certificate, mode=0o600)
    write_all_atomically(files)
    return folder / "mosquitto.conf"


def _configuration(folder: Path, listener: Listener) -> str:
    lines = [
        f"listener {listener.port} {listener.address}".rstrip(),
        f"cafile {folder / 'authority.crt'}",
        f"certfile {folder / _IDENTITY}",
        f"keyfile {folder / _IDENTITY}",
        f"crlfile {folder / 'revoked.crl'}",
        "require_certificate true",
        "use_identity_as_username true",
        "allow_anonymous false",
        f"acl_file {folder / 'access.acl'}",
        f"max_packet_size {LARGEST}",
        f"max_queued_messages {QUEUED}",
        "max_inflight_messages 200",
        "persistent_client_expiration 60d",
        "persistence true",
        f"persistence_location {folder / 'data'}/",
        "autosave_interval 60",
        f"pid_file {folder / 'mosquitto.pid'}",
        *([f"user {listener.user}"] if listener.user else []),
    ]
    return "\n".join(lines) + "\n"
