"""Section 9 of docs/encoding.md: what a passkey signs."""

from __future__ import annotations

import base64
import hashlib

from encoding import u

USER_PRESENT = 0x01
USER_VERIFIED = 0x04


def challenge(digest: bytes) -> str:
    """The digest as a challenge: base64url without padding."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authenticator_data(rp_id: str, flags: int, counter: int) -> bytes:
    """The shortest that an authenticator sends: no credential, no extensions."""
    return hashlib.sha256(rp_id.encode("ascii")).digest() + u(8, flags) + u(32, counter)


def client_data(digest: bytes, origin: str) -> bytes:
    """The client data as browsers write it."""
    head = '{"type":"webauthn.get","challenge":"' + challenge(digest)
    return (head + '","origin":"' + origin + '","crossOrigin":false}').encode("ascii")


def signed_hash(authenticator: bytes, client: bytes) -> bytes:
    """The SHA-256 that the P-256 signature is over."""
    return hashlib.sha256(authenticator + hashlib.sha256(client).digest()).digest()
