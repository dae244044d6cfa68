"""Tokens become certificates once, and certificates the next ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from loopcast.api import ConfigurationError, ConflictError, Device, NotFoundError
from loopcast.fleet.authority import Authority
from loopcast.fleet.enrolment import invite, redeem, renew, revoked_certificates
from loopcast.fleet.founding import authority_of, found
from loopcast.store.home import Home

LATER = datetime.now(UTC) + timedelta(days=2)


@pytest.fixture
def authority(place: Home) -> Authority:
    found(place)
    return authority_of(place)


def request_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "whoever")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def new_request() -> bytes:
    return request_of(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def enrolled(place: Home, authority: Authority) -> Callable[[bytes], bytes]:
    """Enrols meter-7 by a request, and returns its certificate."""

    def redeemed(request: bytes) -> bytes:
        return redeem(place, authority, invite(place, "meter-7", {}, by="ann"), request)[1]

    return redeemed


class TestRedemption:
    def test_who_lost_the_answer_gets_the_same_certificate(
        self, place: Home, authority: Authority
    ) -> None:
        key, token = ec.generate_private_key(ec.SECP256R1()), invite(place, "meter-7", {}, by="ann")
        device, first = redeem(place, authority, token, request_of(key))
        assert redeem(place, authority, token, request_of(key)) == (device, first)
        assert [each.act for each in place.catalog.audit_log()].count("enrol") == 1

    def test_a_used_token_is_of_no_use_with_another_key(
        self, place: Home, authority: Authority
    ) -> None:
        token = invite(place, "meter-7", {}, by="ann")
        redeem(place, authority, token, new_request())
        with pytest.raises(NotFoundError, match="was used before"):
            redeem(place, authority, token, new_request())

    def test_a_used_token_expires_too_and_ends_with_its_device(
        self, place: Home, authority: Authority
    ) -> None:
        request, token = new_request(), invite(place, "meter-7", {}, by="ann")
        first = redeem(place, authority, token, request)
        with pytest.raises(NotFoundError, match="has expired"):
            redeem(place, authority, token, request, at=LATER + timedelta(days=7))
        assert redeem(place, authority, token, request) == first
        place.catalog.revoke(["meter-7"], by="ann", reason="stolen")
        with pytest.raises(NotFoundError, match="used before"):
            redeem(place, authority, token, request)

    def test_another_name_leaves_the_token_good(self, place: Home, authority: Authority) -> None:
        token = invite(place, "meter-7", {}, by="ann")
        with pytest.raises(ConfigurationError, match="is for meter-7, and not for meter-8"):
            redeem(place, authority, token, new_request(), name="meter-8")
        assert redeem(place, authority, token, new_request(), name="meter-7")[0].name == "meter-7"


class TestRenewal:
    def test_the_next_certificate_is_for_the_key_of_the_request(
        self, place: Home, authority: Authority, enrolled: Callable[[bytes], bytes]
    ) -> None:
        first, request = enrolled(new_request()), new_request()
        second = renew(place, authority, "meter-7", request, at=LATER)
        parsed, asked = x509.load_pem_x509_certificate(second), x509.load_pem_x509_csr(request)
        assert parsed.public_key() == asked.public_key()
        assert parsed.subject.rfc4514_string() == "CN=meter-7"
        parsed.verify_directly_issued_by(authority.certificate)
        assert renew(place, authority, "meter-7", request, at=LATER) == second
        assert next(each.act for each in place.catalog.audit_log()) == "renew"
        place.catalog.verify_audit()
        place.catalog.revoke(["meter-7"], by="ann", reason="stolen")
        assert revoked_certificates(place) == [first, second]

    def test_within_a_day_another_key_has_to_wait(
        self, place: Home, authority: Authority, enrolled: Callable[[bytes], bytes]
    ) -> None:
        request = new_request()
        first = enrolled(request)
        assert renew(place, authority, "meter-7", request) == first
        with pytest.raises(ConflictError, match="another key is not 24 hours old"):
            renew(place, authority, "meter-7", new_request())

    def test_who_is_not_of_the_fleet_gets_none(self, place: Home, authority: Authority) -> None:
        with pytest.raises(NotFoundError, match="meter-6 is not enrolled"):
            renew(place, authority, "meter-6", new_request())
        place.catalog.enrol([Device(name="meter-6", enrolled=LATER)], by="ann")
        with pytest.raises(ConflictError, match="signed by somebody else"):
            renew(place, authority, "meter-6", new_request())

    def test_who_was_revoked_gets_none(
        self, place: Home, authority: Authority, enrolled: Callable[[bytes], bytes]
    ) -> None:
        enrolled(new_request())
        place.catalog.revoke(["meter-7"], by="ann", reason="stolen")
        with pytest.raises(ConflictError, match="was revoked"):
            renew(place, authority, "meter-7", new_request())

    def test_a_damaged_request_changes_nothing(
        self, place: Home, authority: Authority, enrolled: Callable[[bytes], bytes]
    ) -> None:
        first = enrolled(new_request())
        with pytest.raises(ConfigurationError, match="no PKCS #10"):
            renew(place, authority, "meter-7", b"nothing", at=LATER)
        own = place.catalog.certificates(["meter-7"])["meter-7"]
        assert [place.artifacts.get(each.certificate) for each in own] == [first]
