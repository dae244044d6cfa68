"""Keys and certificates of the device, by the system's ``openssl``; keys stay in their files."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from loopcast_edge.agent.errors import EdgeError

_PATIENCE_S = 60.0


def new_key() -> bytes:
    """Return a new private key in PEM, on the curve P-256."""
    return _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def request(key: Path, name: str) -> bytes:
    """Return a request for a certificate, PKCS #10 in PEM, of the key in a file."""
    own = ("-config", "/dev/null", "-subj", f"/CN={name}")
    return _openssl("req", "-new", "-sha256", "-key", str(key), *own)


def check(certificate: bytes, key: Path, authority: Path) -> None:
    """Check that a certificate is for a key, and signed by an authority.

    Raises
    ------
    EdgeError
        If it is not.
    """
    theirs = _openssl("x509", "-pubkey", "-noout", content=certificate)
    if theirs != _openssl("pkey", "-pubout", "-in", str(key)):
        raise EdgeError(f"the certificate that came is not for the key in {key}")
    _openssl("verify", "-CAfile", str(authority), content=certificate)


def ends(certificate: Path) -> float:
    """Return when a certificate ends, in seconds since 1970-01-01 in UTC."""
    text = _openssl("x509", "-enddate", "-noout", "-in", str(certificate)).decode()
    return float(ssl.cert_time_to_seconds(text.strip().partition("=")[2]))


def _openssl(*arguments: str, content: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            ["openssl", *arguments],
            input=content,
            capture_output=True,
            check=False,
            timeout=_PATIENCE_S,
        )
    except FileNotFoundError:
        raise EdgeError(
            "openssl is not on this system, and makes the device's key: apt-get install openssl"
        ) from None
    except subprocess.TimeoutExpired:
        raise EdgeError(f"openssl {arguments[0]} did not end in {_PATIENCE_S:g} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise EdgeError(f"openssl {arguments[0]}: {said[0][:300]}")
    return done.stdout
