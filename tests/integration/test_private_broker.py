from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from app.kernel.errors import InvalidInput
from devices import broker as brokers
from devices.accounts import listener_account, meter_account, meter_password
from devices.broker import BrokerFailed, PrivateBroker

KINDS = ["iotcore", *(["mosquitto"] if brokers._mosquitto() else [])]
ACCOUNTS = [meter_account("a1", 3, "one"), meter_account("b2", 4, "two"), listener_account("ear")]
LIMIT_S = 10


class Client:
    """A bare client that waits for what it asked."""

    def __init__(self, port: int, name: str, password: str) -> None:
        self.heard: list[bytes] = []
        self.published: set[int] = set()
        self.more = threading.Condition()
        self.answer = ""
        self.resumed = False
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self.mqtt = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"test-{name}", protocol=mqtt.MQTTv5)
        self.mqtt.username_pw_set(name, password)
        self.mqtt.on_connect = self._on_connect
        self.mqtt.on_connect_fail = lambda *_: self._connected.set()
        self.mqtt.on_disconnect = lambda *_: self._connected.set()
        self.mqtt.on_subscribe = lambda *_: self._subscribed.set()
        self.mqtt.on_message = self._on_message
        self.mqtt.on_publish = self._on_publish
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 600
        self.mqtt.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self.mqtt.loop_start()
        assert self._connected.wait(LIMIT_S)

    def _on_connect(self, client, data, flags, reason, properties) -> None:
        self.answer, self.resumed = str(reason), flags.session_present
        self._connected.set()

    def _on_message(self, client, data, message) -> None:
        with self.more:
            self.heard.append(message.payload)
            self.more.notify_all()

    def subscribe(self, topic: str) -> None:
        self.mqtt.subscribe(topic, qos=1)
        assert self._subscribed.wait(LIMIT_S)

    def publish(self, topic: str, payload: bytes) -> None:
        # Not ``wait_for_publish``: it raises if the thread has not yet noted that it is connected.
        mid = self.mqtt.publish(topic, payload, qos=1).mid
        with self.more:
            assert self.more.wait_for(lambda: mid in self.published, LIMIT_S)

    def _on_publish(self, client, data, mid, reason, properties) -> None:
        with self.more:
            self.published.add(mid)
            self.more.notify_all()

    def hears(self, payload: bytes) -> bool:
        with self.more:
            return self.more.wait_for(lambda: payload in self.heard, LIMIT_S)

    def close(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PrivateBroker]:
    with PrivateBroker(tmp_path / "broker", port=brokers._free_port(), prefer=request.param) as private:
        private.start(ACCOUNTS)
        yield private


def test_only_the_right_password_is_let_in(broker):
    good, bad = Client(broker.port, "a1", "one"), Client(broker.port, "b2", "wrong")
    assert good.answer == "Success"
    assert bad.answer != "Success"
    good.close()
    bad.close()


def test_messages_wait_for_a_session_that_comes_back(broker):
    ear, meter = Client(broker.port, "listener", "ear"), Client(broker.port, "a1", "one")
    ear.subscribe("m/#")
    ear.close()
    meter.publish("m/3/a1/data", b"while you were out")
    back = Client(broker.port, "listener", "ear")
    assert back.resumed
    assert back.hears(b"while you were out")
    back.close()
    meter.close()


def test_a_meter_speaks_only_under_its_own_topics_where_the_broker_has_rules(broker):
    ear, meter = Client(broker.port, "listener", "ear"), Client(broker.port, "a1", "one")
    ear.subscribe("m/#")
    meter.publish("m/4/b2/data", b"forged")
    meter.publish("m/3/a1/data", b"own")
    assert ear.hears(b"own")
    assert (b"forged" not in ear.heard) == broker.enforces_topics
    ear.close()
    meter.close()


def test_a_revoked_account_is_not_let_in_again(broker):
    broker.replace_accounts(ACCOUNTS[1:])
    kept = Client(broker.port, "b2", "two")
    revoked = Client(broker.port, "a1", "one")
    assert kept.answer == "Success"
    assert revoked.answer != "Success"
    kept.close()
    revoked.close()


def test_a_broker_whose_owner_was_killed_gives_way_to_the_next(broker, tmp_path):
    folder, port = tmp_path / "orphan", brokers._free_port()
    script = (
        "import sys; from pathlib import Path; from devices.broker import PrivateBroker;"
        "PrivateBroker(Path(sys.argv[1]), port=int(sys.argv[2]), prefer=sys.argv[3]).start([]);"
        "print('up', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(folder), str(port), broker.kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "up\n"
        with pytest.raises(BrokerFailed, match=str(port)):  # a living owner keeps its broker
            PrivateBroker(folder, port=port, prefer=broker.kind).start(ACCOUNTS)
        owner.kill()
    with PrivateBroker(folder, port=port, prefer=broker.kind) as heir:
        heir.start(ACCOUNTS)
        meter = Client(port, "a1", "one")
        assert meter.answer == "Success"
        meter.close()


@pytest.mark.parametrize("code", ["+", "a/b", "#", "a1\nuser listener", "a:b", ""])
def test_a_code_that_would_open_other_topics_gets_no_account(code):
    with pytest.raises(InvalidInput):
        meter_account(code, 0, "secret")


def test_a_taken_port_is_said(broker, tmp_path):
    with pytest.raises(BrokerFailed, match=str(broker.port)):
        PrivateBroker(tmp_path / "second", port=broker.port).start(ACCOUNTS)


def test_a_meters_password_depends_on_key_code_and_version():
    known = {meter_password(key, code, version) for key in (b"k", b"l") for code in ("a1", "a2") for version in (1, 2)}
    assert len(known) == 8
    assert all(len(password) == 26 for password in known)
