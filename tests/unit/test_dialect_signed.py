from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devices.payloads import native
from devices.payloads.heard import Packet, PublicKey
from devices.payloads.unreadable import Unreadable

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = PublicKey(11, PRIVATE.public_key().public_bytes_raw(), NOW - timedelta(days=1), NOW + timedelta(days=1))
BODY = '{"v": 1, "boot": 7, "readings": [{"seq": 1, "at_ms": 1795000000000, "power_w": 1.0, "energy_wh": 2.50}]}'


def signature(body, *, by=PRIVATE):
    return base64.b64encode(by.sign(body.encode())).decode()


def envelope(**changes):
    return {"v": 1, "key": "k1", "sig": signature(BODY), "body": BODY, **changes}


def heard(said, *, suffix="signed", key=KEY, at=NOW):
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    return native.read(Packet(suffix, payload, at, keys={"k1": key}))


def test_S01_exactly_the_signed_bytes_are_verified():
    told = heard(envelope())
    assert told.key_id == 11
    assert told.samples[0][1].energy_mwh == 2500
    same_content = json.dumps(json.loads(BODY))  # 2.50 has become 2.5
    assert same_content != BODY
    assert json.loads(same_content) == json.loads(BODY)
    with pytest.raises(Unreadable) as caught:
        heard(envelope(body=same_content))
    assert caught.value.reason == "bad_signature"


def test_S08_what_is_unsigned_never_looks_signed():
    assert heard(BODY.encode(), suffix="data").key_id is None
    for said, suffix in [
        (BODY.encode(), "signed"),  # no envelope
        (envelope(sig=""), "signed"),
        ({key: value for key, value in envelope().items() if key != "sig"}, "signed"),
        (envelope(sig=None), "signed"),
        (envelope(), "data"),  # an envelope is no message
    ]:
        with pytest.raises(Unreadable):
            heard(said, suffix=suffix)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"body": BODY.replace("2.50", "9.50")}, "bad_signature"),
        ({"sig": "not base64!"}, "bad_signature"),
        ({"sig": signature(BODY, by=Ed25519PrivateKey.from_private_bytes(bytes(32)))}, "bad_signature"),
        ({"key": "k2"}, "unknown_key"),
        ({"v": 2}, "invalid_field"),
    ],
)
def test_what_the_key_did_not_sign_is_kept_aside(changes, reason):
    with pytest.raises(Unreadable) as caught:
        heard(envelope(**changes))
    assert caught.value.reason == reason


@pytest.mark.parametrize("at", [KEY.valid_from - timedelta(seconds=1), KEY.valid_until])
def test_a_key_is_believed_only_while_it_is_valid(at):
    with pytest.raises(Unreadable) as caught:
        heard(envelope(), at=at)
    assert caught.value.reason == "key_not_valid"
