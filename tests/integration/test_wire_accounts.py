"""Who may say what on a real mosquitto, over TLS too, and what the operator can read of refusals."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509

from devices import broker as brokers
from devices.accounts import listener_account, meter_account, mosquitto_passwords, mosquitto_rules
from devices.broker import BrokerFailed, PrivateBroker
from devices.broker_settings import ANYWHERE
from devices.certifying import fingerprint, make_authority, make_certificate
from devices.client import Publisher, Subscriber
from devices.refusals import CONNECT, BrokerRefusal, refusals_since
from devices.rules.evidence import Dialect

LIMIT_S = 10
ACCOUNTS = [
    meter_account("a1", 3, "one"),
    meter_account("b2", 4, "two"),
    meter_account("s3", 5, "three", Dialect.SPARKPLUG),
    listener_account("ear"),
]


@pytest.fixture(params=["mosquitto"] if brokers._mosquitto() else [])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PrivateBroker]:
    port, tls_port = brokers._free_port(), brokers._free_port()
    with PrivateBroker(
        tmp_path / "broker", port=port, tls_port=tls_port, prefer=request.param, tells_denied=True
    ) as private:
        private.start(ACCOUNTS)
        yield private


class Device:
    """A device that waits for each answer and remembers its reason."""

    def __init__(
        self,
        port: int,
        name: str,
        password: str,
        *,
        authority: Path | None = None,
        as_id: str = "",
        protocol: mqtt.MQTTProtocolVersion = mqtt.MQTTProtocolVersion.MQTTv5,
        tries_again: bool = True,
    ) -> None:
        self._told = threading.Condition()
        self.reasons: dict[int, str] = {}
        self.heard: list[bytes] = []
        self.answer = ""
        self.gone = ""
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=as_id or f"dev-{name}",
            protocol=protocol,
            reconnect_on_failure=tries_again,
        )
        client.username_pw_set(name, password)
        client.reconnect_delay_set(0.05, 1)  # mosquitto 2.0 cuts the connection when it denies a message
        if authority is not None:
            client.tls_set(ca_certs=str(authority))
        client.on_connect = lambda _c, _d, _f, reason, _p: self._note(answer=str(reason))
        client.on_disconnect = lambda _c, _d, _f, reason, _p: self._note(gone=str(reason))
        client.on_publish = self._on_publish
        client.on_message = lambda _c, _d, message: self._note(message=message.payload)
        client.on_subscribe = lambda *_: self._note(answer="subscribed")
        self.mqtt = client
        client.connect("127.0.0.1", port)
        client.loop_start()
        self._wait(lambda: self.answer)

    def _note(self, *, answer: str = "", gone: str = "", message: bytes | None = None) -> None:
        with self._told:
            self.answer, self.gone = answer or self.answer, gone or self.gone
            self.heard += [] if message is None else [message]
            self._told.notify_all()

    def _on_publish(self, client, data, mid, reason, properties) -> None:
        with self._told:
            self.reasons[mid] = str(reason)
            self._told.notify_all()

    def _wait(self, what: Callable[[], object]) -> None:
        with self._told:
            assert self._told.wait_for(what, LIMIT_S)

    def publish(self, topic: str, payload: bytes = b"x") -> str:
        mid = self.mqtt.publish(topic, payload, qos=1).mid
        self._wait(lambda: mid in self.reasons)
        return self.reasons[mid]

    def listen(self, topic: str) -> None:
        self.mqtt.subscribe(topic, qos=1)
        self._wait(lambda: self.answer == "subscribed")

    def hears(self, payload: bytes) -> bool:
        self._wait(lambda: payload in self.heard)
        return True

    def is_sent_away(self) -> bool:
        self._wait(lambda: self.gone)
        return True

    def close(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


@pytest.fixture
def device() -> Iterator[Callable[..., Device]]:
    made: list[Device] = []

    def connect(*given, **more) -> Device:
        made.append(Device(*given, **more))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def refusals(broker: PrivateBroker, position: int, *, count: int) -> tuple[list[BrokerRefusal], int]:
    """Waits for as many: the filter writes a line a moment after the device has its answer."""
    told: list[BrokerRefusal] = []
    limit = threading.Event()
    for _ in range(200):
        new, position = refusals_since(broker.folder, position)
        told += new
        if len(told) >= count or limit.wait(0.05):
            break
    return told, position


def test_a_meter_speaks_under_its_own_topics_only_and_is_told_so(broker, device):
    meter = device(broker.port, "a1", "one")
    assert meter.publish("m/3/a1/data") in ("Success", "No matching subscribers")
    for another in ("m/4/b2/data", "m/4/a1/data", "m/3/a10/data", "spBv1.0/ps3/NDATA/a1", "elsewhere"):
        assert meter.publish(another) == "Not authorized"


def test_a_sparkplug_node_speaks_for_itself_and_the_devices_behind_it(broker, device):
    node = device(broker.port, "s3", "three")
    for own in ("spBv1.0/ps5/NBIRTH/s3", "spBv1.0/ps5/DDATA/s3/press"):
        assert node.publish(own) != "Not authorized"
    for another in ("spBv1.0/ps5/NDATA/s4", "spBv1.0/ps4/NDATA/s3", "m/5/s3/data"):
        assert node.publish(another) == "Not authorized"


def test_a_meter_hears_what_is_said_to_it_and_nothing_else(broker, device):
    meter, ear = device(broker.port, "a1", "one"), device(broker.port, "listener", "ear")
    meter.listen("m/#")
    for topic in ("m/4/b2/ack", "m/3/a1/data", "m/3/a1/cmd"):
        ear.publish(topic, topic.encode())
    assert meter.hears(b"m/3/a1/cmd")
    assert meter.heard == [b"m/3/a1/cmd"]


def test_another_meters_password_opens_nothing(broker, device):
    assert device(broker.port, "b2", "one").answer == "Not authorized"


def test_a_renewed_password_sends_the_old_one_away_at_once_and_disturbs_nobody_else(broker, device):
    old, other = device(broker.port, "a1", "one"), device(broker.port, "b2", "two")
    broker.replace_accounts([meter_account("a1", 3, "new"), *ACCOUNTS[1:]])
    assert old.is_sent_away()
    assert device(broker.port, "a1", "new", as_id="again").answer == "Success"
    assert other.publish("m/4/b2/data") != "Not authorized"
    assert not other.gone


def test_refusals_are_read_from_the_log_once_each(broker, device):
    meter = device(broker.port, "a1", "one", as_id="plug (p5, c1, k60, u'b2').")
    _, position = refusals_since(broker.folder, 0)
    meter.publish("m/4/b2/data")
    assert device(broker.port, "b2", "wrong", as_id="thief", tries_again=False).answer == "Not authorized"
    told, position = refusals(broker, position, count=2)
    assert [(one.client, one.username, one.what) for one in told] == [
        ("plug (p5, c1, k60, u'b2').", "a1", "m/4/b2/data"),
        ("127.0.0.1", "", CONNECT),
    ]
    assert refusals_since(broker.folder, position) == ([], position)
    assert b"Received PUBLISH" not in (broker.folder / "log").read_bytes()


def test_an_old_client_is_not_told_that_it_was_denied_but_the_operator_is(broker, device):
    old = device(broker.port, "a1", "one", as_id="old", protocol=mqtt.MQTTProtocolVersion.MQTTv311)
    ear = device(broker.port, "listener", "ear")
    ear.listen("m/#")
    assert old.publish("m/4/b2/data", b"forged") == "Success"
    told, _ = refusals(broker, 0, count=1)
    assert [(one.client, one.username, one.what) for one in told] == [("old", "a1", "m/4/b2/data")]
    assert ear.heard == []


def test_a_broker_that_ended_by_itself_is_started_again_where_it_was(broker, device):
    assert not broker.revive(ACCOUNTS)
    port, process = broker.port, broker._process
    process.kill()
    process.wait()
    assert broker.revive(ACCOUNTS)
    assert device(port, "a1", "one").answer == "Success"


def test_a_log_that_was_started_anew_is_read_from_its_beginning(tmp_path):
    (tmp_path / "log").write_text("1795568188: Client old disconnected, not authorised.\n1795568189: half a li")
    told, position = refusals_since(tmp_path, 10_000)
    assert [one.client for one in told] == ["old"]
    assert position == 53
    assert refusals_since(tmp_path / "nowhere", 7) == ([], 0)


def test_over_tls_the_right_authority_lets_a_meter_in_and_a_wrong_one_is_noticed(broker, device, tmp_path):
    assert device(broker.tls_port, "a1", "one", authority=broker.authority).publish("m/3/a1/data") != "Not authorized"
    other = ssl.create_default_context(cafile=str(make_authority(tmp_path / "other")))
    with (
        socket.create_connection(("127.0.0.1", broker.tls_port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        other.wrap_socket(plain, server_hostname="127.0.0.1")


def test_our_own_client_goes_over_tls_with_the_authority_in_its_address(broker, tmp_path):
    url = f"mqtts://127.0.0.1:{broker.tls_port}?ca={broker.authority}"
    ear = Subscriber(url, name="ear", username="listener", password="ear", topics=["m/3/#"])
    meter = Publisher(url, username="a1", password="one")
    assert meter.wait_until_connected(LIMIT_S)
    heard = []
    for _ in range(50):
        meter.publish("m/3/a1/data", b"over tls")
        heard = ear.take(most=10, wait_s=0.2)
        if heard:
            break
    assert heard[0].message.payload == b"over tls"
    meter.close()
    ear.close()


def test_the_authority_stays_and_its_key_is_private(tmp_path):
    folder = tmp_path / "tls"
    authority = make_authority(folder)
    first = fingerprint(authority)
    certificate, key = make_certificate(folder, ["plug.example", "127.0.0.1"])
    assert fingerprint(make_authority(folder)) == first
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (key, folder / "ca.key"))
    made = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["plug.example"]
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.read_bytes()))


def test_without_mosquitto_nobody_outside_is_let_in_unprotected(tmp_path):
    for wish in ({"host": ANYWHERE}, {"tls_port": 8883}):
        with pytest.raises(BrokerFailed, match="mosquitto"):
            PrivateBroker(tmp_path / "broker", prefer="iotcore", **wish).start(ACCOUNTS)


def test_the_files_serve_any_mosquitto():
    assert mosquitto_rules(ACCOUNTS[2:3]).splitlines() == [
        "user s3",
        "topic write spBv1.0/ps5/+/s3",
        "topic write spBv1.0/ps5/+/s3/#",
        "topic read spBv1.0/ps5/NCMD/s3",
        "topic read spBv1.0/ps5/DCMD/s3/#",
        "topic read spBv1.0/STATE/#",
    ]
    assert mosquitto_passwords(ACCOUNTS[:1]).startswith("a1:$7$101$")
