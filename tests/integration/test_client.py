"""The lean client: what comes out is what was published, on real brokers and on made-up portions of bytes."""

from __future__ import annotations

import random
import threading
from itertools import pairwise

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import client
from devices.accounts import listener_account, meter_account
from devices.broker import PrivateBroker
from devices.broker_settings import LARGEST_MESSAGE
from devices.client import Publisher, Received, Subscriber
from devices.hearing import WireMessage
from devices.lean import LeanClient, Published
from devices.rules.topic import shard_of, topic_of, topics_of_shard
from tests.integration.test_private_broker import KINDS
from tests.makers import BEGINNING
from tests.web_server import free_port

CODE = "lean-meter"
TOPICS = topics_of_shard(shard_of(CODE))


@pytest.fixture(params=KINDS)
def broker(request, tmp_path):
    with PrivateBroker(tmp_path / "broker", port=free_port(), prefer=request.param) as private:
        private.start([listener_account("listen"), meter_account(CODE, shard_of(CODE), "speak")])
        yield private


def test_messages_of_every_size_arrive_whole_and_in_order_and_come_again_until_acknowledged(broker):
    chance = random.Random(7)
    sizes = [0, 1, 126, 127, 128, 16_383, 16_384, LARGEST_MESSAGE, *(chance.randint(0, 3000) for _ in range(500))]
    payloads = [number.to_bytes(4) + chance.randbytes(size) for number, size in enumerate(sizes)]
    subscriber = Subscriber(broker.url, name="lean", username="listener", password="listen", topics=TOPICS)
    publisher = Publisher(broker.url, username=CODE, password="speak")
    try:
        assert publisher.wait_until_connected()
        _until_heard(publisher, subscriber)
        for payload in payloads:
            publisher.publish(topic_of(CODE, "data"), payload)
        assert publisher.drain()
        batch = _take(subscriber, len(payloads), at_once=not broker.keeps_sessions)
        assert [one.message.payload for one in batch] == payloads
        assert {one.message.topic for one in batch} == {topic_of(CODE, "data")}
        if broker.keeps_sessions:
            subscriber.acknowledge(batch[:100])
    finally:
        subscriber.close()
    if not broker.keeps_sessions:
        publisher.close()
        return
    again = Subscriber(broker.url, name="lean", username="listener", password="listen", topics=TOPICS)
    try:
        batch = _take(again, len(payloads) - 100, at_once=True)
        assert [one.message.payload for one in batch] == payloads[100:]
        assert all(one.message.repeated for one in batch)
        assert not again.session_lost
    finally:
        again.close()
        publisher.close()


def _until_heard(publisher: Publisher, subscriber: Subscriber) -> None:
    """The subscription stands once something arrives."""
    heard = []
    while not heard:
        publisher.publish(topic_of(CODE, "status"), b"here")
        heard = subscriber.take(most=1, wait_s=0.5)
    subscriber.acknowledge(heard)
    assert publisher.drain()
    while rest := subscriber.take(most=100, wait_s=0.5):
        subscriber.acknowledge(rest)


def _take(subscriber: Subscriber, count: int, *, at_once: bool) -> list:
    """So many messages; ``at_once`` acknowledges as they come, for a broker that holds the rest back until then."""
    batch = []
    while len(batch) < count:
        more = subscriber.take(most=count - len(batch), wait_s=10)
        assert more, f"only {len(batch)} of {count} arrived"
        batch += more
        if at_once:
            subscriber.acknowledge(more)
    return batch


MESSAGES = st.lists(
    st.builds(
        Published,
        topic=st.binary(min_size=1, max_size=40),
        payload=st.binary(max_size=300),
        mid=st.integers(0, 65535),
        repeated=st.booleans(),
        retained=st.booleans(),
    ),
    max_size=20,
)


class Wire:
    """A socket that gives its bytes in the portions that it was told."""

    def __init__(self, data: bytes, cuts: list[int]) -> None:
        edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
        self.portions = [data[low:high] for low, high in pairwise(edges) if high > low]

    def recv(self, size: int) -> bytes:
        if not self.portions:
            raise BlockingIOError
        return self.portions.pop(0)


def bytes_of(message: Published, properties: bytes) -> bytes:
    qos = 1 if message.mid else 0
    body = len(message.topic).to_bytes(2) + message.topic + (message.mid.to_bytes(2) if qos else b"")
    body += bytes([len(properties)]) + properties + message.payload
    length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 127 | 128, len(body) >> 7])
    return bytes([0x30 | qos << 1 | message.repeated << 3 | message.retained]) + length + body


def lean_client(heard: list[Published]) -> LeanClient:
    return LeanClient(
        mqtt.CallbackAPIVersion.VERSION2, client_id="x", protocol=mqtt.MQTTv5, manual_ack=True, heard=heard.extend
    )


@given(MESSAGES, st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from([b"", b"\x02\0\0\0\x3c"]))
def test_however_the_bytes_are_cut_the_same_messages_are_heard(messages, cuts, properties):
    heard: list[Published] = []
    lean = lean_client(heard)
    lean._sock = Wire(b"".join(bytes_of(one, properties) for one in messages), cuts)
    while lean._sock.portions:
        assert lean.loop_read() == mqtt.MQTTErrorCode.MQTT_ERR_SUCCESS
    lean._sock = None
    assert heard == messages


@given(st.binary(min_size=1, max_size=200))
def test_no_bytes_make_the_network_thread_raise(data):
    lean = lean_client([])
    lean.on_disconnect = None
    lean._sock = Wire(data, [])
    lean._sock.close = lambda: None
    lean.loop_read()
    lean._sock = None


def test_the_inbox_holds_the_network_thread_while_it_is_full(monkeypatch):
    monkeypatch.setattr(client, "MOST_WAITING", 2)
    a, b, c = (Received(WireMessage("t", word, BEGINNING), 1, 1) for word in (b"a", b"b", b"c"))
    inbox = client._Inbox()
    inbox.put([a, b])
    put = threading.Thread(target=inbox.put, args=([c],))
    put.start()
    put.join(0.2)
    assert put.is_alive()
    assert inbox.take(1, 1) == [a]
    put.join(10)
    assert inbox.take(5, 1) == [b, c]
