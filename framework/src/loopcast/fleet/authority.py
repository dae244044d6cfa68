"""The certificate authority of a fleet: who a client of the broker is.

A certificate says a device's name and nothing else. It lets its owner connect to the broker; what
a device runs is decided by signatures of another key, so that whoever holds this one can disturb
devices and cannot make them run anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopcast.api import ConfigurationError, DeviceName, Digest, IntegrityError, NotFoundError
from loopcast.store.files import create_atomically

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder

CENTRE = "centre.loopcast"
"""Common name of the centre: no device can have it, since it has a dot."""

LIFE = timedelta(days=825)
AUTHORITY_LIFE = timedelta(days=20 * 365)
_SKEW = timedelta(hours=1)
"""Certificates hold from so long ago on, for devices whose clocks are behind."""


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A key that signs certificates, and its own certificate."""

    key: EllipticCurvePrivateKey
    certificate: Certificate

    @property
    def pem(self) -> bytes:
        """The certificate, for those who have to trust it."""
        return pem_of(self.certificate)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A private key and its certificate, both in PEM."""

    key: bytes
    certificate: bytes


def open_authority(folder: Path, *, create: bool = False) -> Authority:
    """Read the authority in a folder, made where it is absent and may be.

    Raises
    ------
    NotFoundError
        When there is none and none may be made.
    IntegrityError
        When its files are damaged.
    """
    require_cryptography()
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    file = folder / "authority.pem"
    if not file.exists():
        if not create:
            raise NotFoundError(
                f"the fleet has no authority in {folder}; 'loopcast fleet keys make' makes one"
            )
        made = _self_signed("loopcast fleet authority", _of_authority)
        create_atomically(file, made.key + made.certificate, mode=0o600)
    content = file.read_bytes()
    try:
        key = load_pem_private_key(content, None)
        certificate = x509.load_pem_x509_certificate(content)
    except ValueError as error:
        raise IntegrityError(f"{file} is damaged: {error}; restore it") from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise IntegrityError(f"{file} holds a key of another kind; restore it")
    return Authority(key=key, certificate=certificate)


def require_cryptography() -> None:
    """Raise :class:`ConfigurationError` where the package for certificates is missing."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "certificates need cryptography; install it with: pip install 'loopcast[edge]'"
        ) from None


def make_lone_identity(name: str) -> Identity:
    """Make a key and a certificate that vouches for itself: who trusts it lets in no other."""
    require_cryptography()
    return _self_signed(name, _of_client)


def _self_signed(name: str, extensions: Callable[[Any], list[tuple[Any, bool]]]) -> Identity:
    """Make what nobody else signs; it lasts, since only those who have it by name trust it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, key.public_key(), AUTHORITY_LIFE).issuer_name(_name(name))
    for extension, critical in extensions(key.public_key()):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, hashes.SHA256())
    return Identity(key=_private_pem(key), certificate=pem_of(certificate))


def _of_client(_public: Any) -> list[tuple[Any, bool]]:
    """Leave the usage of the key open: OpenSSL 1.1.1 trusts no lone key that may not certify."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID as Use

    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([Use.CLIENT_AUTH]), False),
    ]


def _of_authority(public: Any) -> list[tuple[Any, bool]]:
    from cryptography import x509

    return [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_usage(signs_certificates=True), True),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
    ]


def certify(authority: Authority, request: bytes, device: DeviceName) -> bytes:
    """Sign a device's request, under the name that it was enrolled by.

    Parameters
    ----------
    request
        PKCS #10 in PEM. Its key is certified; what it says about its owner is not believed.

    Returns
    -------
    bytes
        The certificate in PEM.

    Raises
    ------
    ConfigurationError
        When the request is damaged, or not signed by its own key.
    """
    return pem_of(_signed(authority, device, _proven(request), LIFE))


def _proven(request: bytes) -> Any:
    """Return the key of a request, which has to be signed by it."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        asked = x509.load_pem_x509_csr(request)
        proven = asked.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"the request is no PKCS #10 in PEM: {error}") from None
    if not proven:
        raise ConfigurationError("the request is not signed by its own key; make a new one")
    return asked.public_key()


def is_of_same_key(certificate: bytes, request: bytes) -> bool:
    """Whether a certificate is for the key of a request, both in PEM.

    Raises
    ------
    ConfigurationError
        When the request is damaged, or not signed by its own key.
    """
    from cryptography import x509

    return bool(x509.load_pem_x509_certificate(certificate).public_key() == _proven(request))


def make_identity(authority: Authority, name: str, hosts: Iterable[str] = ()) -> Identity:
    """Make a key and its certificate: of a broker, or of a simulated device.

    Parameters
    ----------
    hosts
        Names and addresses of a broker.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(authority, name, key.public_key(), LIFE, tuple(hosts))
    return Identity(key=_private_pem(key), certificate=pem_of(certificate))


def _signed(
    authority: Authority, name: str, public: Any, life: timedelta, hosts: tuple[str, ...] = ()
) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID as Use

    purpose = Use.SERVER_AUTH if hosts else Use.CLIENT_AUTH
    issuer = authority.certificate
    builder = _builder(name, public, life).issuer_name(issuer.subject)
    extensions: list[tuple[Any, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([purpose]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), False),
        *([(x509.SubjectAlternativeName(list(map(_alternative, hosts))), False)] if hosts else []),
    ]
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(authority.key, hashes.SHA256())


def _alternative(host: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def revocations(authority: Authority, certificates: Iterable[bytes]) -> bytes:
    """Return the list of certificates that no longer hold, in PEM.

    Parameters
    ----------
    certificates
        Those that are revoked, in PEM.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
    builder = builder.last_update(now - _SKEW).next_update(now + AUTHORITY_LIFE)
    for pem in certificates:
        serial = x509.load_pem_x509_certificate(pem).serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def certificate_in(file: Path) -> bytes:
    """Return the certificate of a file that may hold its key too, in PEM.

    Raises
    ------
    IntegrityError
        When the file holds none.
    """
    from cryptography import x509

    try:
        return pem_of(x509.load_pem_x509_certificate(file.read_bytes()))
    except ValueError as error:
        raise IntegrityError(f"{file} is damaged: {error}; restore it") from None


def fingerprint(certificate: bytes) -> Digest:
    """Return the SHA-256 of a certificate in PEM, under which the artifacts keep it."""
    return sha256(certificate).hexdigest()


def pem_of(certificate: Certificate) -> bytes:
    """Return a certificate in PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _private_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def _name(common: str) -> Any:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _builder(name: str, public: Any, life: timedelta) -> CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(_name(name)).public_key(public)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _SKEW).not_valid_after(now + life)


def _usage(*, signs_certificates: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
