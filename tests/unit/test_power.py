from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.payloads.commanding import fail_safe_setting, switching
from devices.rules.evidence import Dialect
from devices.rules.power import (
    FIRST_PAUSE,
    MOST_TRIES,
    SILENT_FOR_LONG,
    FailSafe,
    Override,
    PowerCause,
    Progress,
    Situation,
    Wish,
    is_due,
    progress,
    wanted,
)
from devices.rules.topic import topic_of

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
ON = Wish(True, PowerCause.CHECKED_IN)
OFF = Wish(False, PowerCause.RUN_ENDED)
SAFELY_OFF = Wish(False, PowerCause.FAIL_SAFE)
IDLE = Situation(turned_at=AT - 600 * SECOND, ended_at=AT - 300 * SECOND, heard_at=AT - SECOND)

past = st.integers(0, 10_000).map(lambda seconds: AT - seconds * SECOND)
overrides = st.builds(Override, on=st.booleans(), asked_at=past)
situations = st.builds(
    Situation,
    checked_in=st.booleans(),
    turned_at=st.none() | past,
    running_since=st.none() | past,
    ended_at=st.none() | past,
    post=st.integers(0, 7200).map(lambda seconds: seconds * SECOND),
    heard_at=st.none() | past,
    patience=st.integers(1, 900).map(lambda seconds: seconds * SECOND),
    fail_safe=st.sampled_from(FailSafe),
    override=st.none() | overrides,
)


@given(situations)
def test_nothing_is_switched_off_during_a_run_but_by_an_operator_who_asked_during_it(now):
    wish = wanted(now, at=AT)
    if now.running_since is not None and wish is not None and not wish.on:
        assert wish.cause is PowerCause.OVERRIDE
        assert now.override is not None
        assert now.override.asked_at >= now.running_since


@given(situations)
def test_who_is_checked_in_has_power_unless_an_operator_said_off_since(now):
    wish = wanted(replace(now, checked_in=True), at=AT)
    if now.override is None or now.override.on:
        assert wish is not None
        assert wish.on
    elif wish is not None and not wish.on:
        assert now.turned_at is None or now.turned_at <= now.override.asked_at


@given(situations, overrides)
def test_an_override_holds_until_somebody_comes_or_goes(now, override):
    wish = wanted(replace(now, override=override), at=AT)
    if now.turned_at is not None and now.turned_at > override.asked_at:
        assert wish == wanted(replace(now, override=None), at=AT)
    elif override.on or now.running_since is None:
        assert wish == Wish(override.on, PowerCause.OVERRIDE)


@given(situations)
def test_off_comes_after_the_post_time_and_never_from_silence_but_for_the_fail_safe(now):
    wish = wanted(replace(now, override=None), at=AT)
    if wish is None or wish.on:
        return
    if wish.cause is PowerCause.FAIL_SAFE:
        assert now.fail_safe is FailSafe.OFF
        assert now.heard_at is None or AT - now.heard_at > SILENT_FOR_LONG
    else:
        assert now.heard_at is not None
        assert AT - now.heard_at <= now.patience
        assert now.ended_at is None or now.ended_at + now.post <= AT


@given(situations)
def test_time_alone_never_switches_on(now):
    wish = wanted(replace(now, override=None, checked_in=False), at=AT)
    assert wish is None or not wish.on or wish.cause is PowerCause.FAIL_SAFE


@pytest.mark.parametrize(
    ("given_so", "expected"),
    [
        ({}, OFF),
        ({"ended_at": None}, OFF),  # checked in and out without a run
        ({"checked_in": True}, ON),
        ({"post": 300 * SECOND}, OFF),
        ({"post": 301 * SECOND}, None),
        ({"running_since": AT - 30 * SECOND}, None),
        ({"heard_at": AT - 301 * SECOND}, None),
        ({"heard_at": AT - 301 * SECOND, "fail_safe": FailSafe.OFF}, None),  # not silent for long
        ({"heard_at": AT - 2 * HOUR, "ended_at": AT - 3 * HOUR, "fail_safe": FailSafe.OFF}, SAFELY_OFF),
        ({"heard_at": AT - 2 * HOUR, "ended_at": AT - 2 * HOUR, "fail_safe": FailSafe.OFF}, None),  # silent in a run
        ({"heard_at": None, "fail_safe": FailSafe.OFF}, None),
        ({"heard_at": None, "ended_at": None, "fail_safe": FailSafe.OFF}, SAFELY_OFF),  # it measures nothing
        ({"heard_at": None, "fail_safe": FailSafe.ON}, Wish(True, PowerCause.FAIL_SAFE)),
        ({"heard_at": None}, None),
        ({"override": Override(True, AT - SECOND)}, Wish(True, PowerCause.OVERRIDE)),
        ({"override": Override(True, AT - 900 * SECOND)}, OFF),  # somebody finished since
        ({"override": Override(False, AT - 9 * SECOND), "running_since": AT - 8 * SECOND}, None),
    ],
)
def test_what_is_wanted_of_a_relay(given_so, expected):
    assert wanted(replace(IDLE, **given_so), at=AT) == expected


def test_a_command_is_sent_at_once_then_ever_more_rarely_and_then_no_more():
    sent, tries, sent_at = [], 0, None
    for second in range(3600):
        if is_due(sent_at=sent_at, tries=tries, at=AT + second * SECOND):
            sent.append(second)
            tries, sent_at = tries + 1, AT + second * SECOND
    assert sent == [0, 2, 6, 14, 30, 62, 126, 254]
    assert (len(sent), FIRST_PAUSE) == (MOST_TRIES, 2 * SECOND)


@pytest.mark.parametrize(
    ("tries", "confirmed", "ended", "expected"),
    [
        (0, False, False, Progress.WAITING),
        (1, False, False, Progress.SENT),
        (MOST_TRIES, False, False, Progress.UNCONFIRMED),
        (MOST_TRIES, True, False, Progress.CONFIRMED),
        (1, True, True, Progress.CONFIRMED),
        (1, False, True, Progress.ENDED),
    ],
)
def test_how_far_a_command_has_come(tries, confirmed, ended, expected):
    assert progress(tries=tries, confirmed=confirmed, ended=ended) is expected


@pytest.mark.parametrize(
    ("dialect", "channel", "suffix", "payload"),
    [
        (Dialect.NATIVE, "", "cmd", b'{"power":"on","id":7}'),
        (Dialect.TASMOTA, "", "cmnd/POWER", b"ON"),
        (Dialect.TASMOTA, "POWER2", "cmnd/POWER2", b"ON"),
        (Dialect.ZIGBEE2MQTT, "", "one/set", b'{"state":"ON"}'),
        (Dialect.ZIGBEE2MQTT, "hall/press", "hall/press/set", b'{"state":"ON"}'),
    ],
)
def test_each_dialect_is_told_in_its_own_way(dialect, channel, suffix, payload):
    told = switching(dialect, code="one", channel=channel, on=True, number=7)
    assert told == (topic_of("one", suffix), payload)


@pytest.mark.parametrize(("channel", "relay"), [("", 0), ("switch:0", 0), ("switch:3", 3)])
def test_a_shelly_answers_below_its_own_topic(channel, relay):
    told = switching(Dialect.SHELLY, code="one", channel=channel, on=False, number=7)
    assert told is not None
    assert told[0] == topic_of("one", "rpc")
    assert json.loads(told[1]) == {
        "id": 7,
        "src": topic_of("one", "app"),
        "method": "Switch.Set",
        "params": {"id": relay, "on": False},
    }


@pytest.mark.parametrize(("dialect", "channel"), [(Dialect.SPARKPLUG, ""), (Dialect.SHELLY, "em:1")])
def test_what_has_no_relay_is_told_nothing(dialect, channel):
    assert switching(dialect, code="one", channel=channel, on=True, number=7) is None


@pytest.mark.parametrize(
    ("dialect", "fail_safe", "expected"),
    [
        (Dialect.TASMOTA, FailSafe.STAY, "PowerOnState 3"),
        (Dialect.TASMOTA, FailSafe.OFF, "PowerOnState 0"),
        (Dialect.ZIGBEE2MQTT, FailSafe.STAY, '{"power_on_behavior":"previous"}'),
        (Dialect.NATIVE, FailSafe.OFF, ""),
    ],
)
def test_the_setting_of_a_device_says_how_it_comes_up(dialect, fail_safe, expected):
    assert fail_safe_setting(dialect, channel="", fail_safe=fail_safe) == expected


def test_a_shelly_is_set_relay_by_relay():
    told = json.loads(fail_safe_setting(Dialect.SHELLY, channel="switch:2", fail_safe=FailSafe.ON))
    assert (told["method"], told["params"]) == ("Switch.SetConfig", {"id": 2, "config": {"initial_state": "on"}})
