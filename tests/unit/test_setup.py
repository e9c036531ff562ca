from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.rules.evidence import Dialect
from devices.rules.setup import HIDDEN, Place, setup_notes, setup_text
from devices.rules.topic import shard_of

PLAIN = Place("10.0.0.5", 18830)
SECURE = Place("lab.example", 8883, tls=True, authority="https://lab.example/mqtt-ca.crt", fingerprint="AB:CD")
CODES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}", fullmatch=True)


@pytest.mark.parametrize("place", [PLAIN, SECURE])
@given(dialect=st.sampled_from(list(Dialect)), code=CODES)
def test_every_text_names_broker_account_and_topic(place, dialect, code):
    text = setup_text(dialect, place, code=code, password="s3cret")
    for needed in (place.host, str(place.port), code, "s3cret", str(shard_of(code))):
        assert needed in text
    assert HIDDEN not in text


@given(code=CODES)
def test_a_text_for_pasting_stays_what_it_is_whatever_the_code(code):
    native = json.loads(setup_text(Dialect.NATIVE, SECURE, code=code, password="s3cret"))
    assert native["topics"]["data"] == f"m/{shard_of(code)}/{code}/data"
    assert native["ca_sha256"] == "AB:CD"
    shelly = json.loads(setup_text(Dialect.SHELLY, PLAIN, code=code, password="s3cret"))["params"]["config"]
    assert shelly["topic_prefix"] == f"m/{shard_of(code)}/{code}"
    assert shelly["ssl_ca"] is None
    tasmota = setup_text(Dialect.TASMOTA, PLAIN, code=code, password="s3cret")
    assert tasmota.count("\n") == 0
    assert tasmota.count(";") < 30
    assert f"FullTopic m/{shard_of(code)}/%topic%/%prefix%/" in tasmota


def test_where_the_connection_is_protected_each_text_says_so():
    told = {one: setup_text(one, SECURE, code="a1", password="s3cret") for one in Dialect}
    assert "SetOption103 1" in told[Dialect.TASMOTA]
    assert '"ssl_ca": "user_ca.pem"' in told[Dialect.SHELLY]
    assert all("mqtts://lab.example:8883" in told[one] for one in (Dialect.NATIVE, Dialect.ZIGBEE2MQTT))
    assert SECURE.authority in told[Dialect.SPARKPLUG]


@pytest.mark.parametrize("dialect", list(Dialect))
def test_every_dialect_has_its_notes(dialect):
    assert setup_notes(dialect)
