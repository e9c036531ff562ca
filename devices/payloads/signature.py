"""Messages that a device signed: an envelope with the message as text, so that exactly its bytes are verified.

``{"v": 1, "key": "<name of the key>", "sig": "<Ed25519 over the UTF-8 bytes of body, base64>", "body": "<JSON>"}``
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from devices.payloads.fields import decoded
from devices.payloads.heard import Packet
from devices.payloads.unreadable import Unreadable


class Envelope(msgspec.Struct, frozen=True):
    v: Literal[1]
    key: str
    sig: str
    body: str


_decoder = msgspec.json.Decoder(Envelope)


def signed_body(packet: Packet) -> tuple[bytes, int]:
    """The signed bytes and the id of the key, once the signature is verified.

    Errors: ``Unreadable`` with ``unknown_key``, ``key_not_valid`` (at the time of receipt) or ``bad_signature``.
    """
    envelope = decoded(_decoder, packet.payload)
    key = packet.keys.get(envelope.key)
    if key is None:
        raise Unreadable("unknown_key", f"no key {envelope.key[:60]} is registered for this meter")
    if packet.received_at < key.valid_from or (key.valid_until is not None and packet.received_at >= key.valid_until):
        raise Unreadable("key_not_valid", f"key {envelope.key[:60]} is not valid at this time")
    try:
        body = envelope.body.encode()
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(base64.b64decode(envelope.sig, validate=True), body)
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise Unreadable("bad_signature", f"the signature fits neither message nor key {envelope.key[:60]}") from error
    return body, key.id
