"""The only module that speaks MQTT.

Why it is built like this: an automatic acknowledgement loses what was not stored yet; an exception in
a callback ends paho's thread while it still claims to be connected; an acknowledgement of an older
connection can hit another message with the same number. So callbacks only hand over, messages carry
the generation of their connection, and the queue between the two is bounded: when it is full the
socket is not read, and the broker holds the rest.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from app.kernel import clock
from devices.hearing import WireMessage

log = logging.getLogger("pilotshare.mqtt")

SESSION_EXPIRY_S = 7 * 24 * 3600
RECEIVE_MAXIMUM = 1000
QUEUE_SIZE = 4000
KEEPALIVE_S = 30
CONNECT_LIMIT_S = 15.0
NO_SUBSCRIBER = 0x10
TAKEN_OVER = 0x8E


@dataclass(frozen=True, slots=True)
class Received:
    """A message with what is needed to acknowledge it."""

    message: WireMessage
    mid: int
    generation: int


def _client(name: str, username: str, password: str, *, manual_ack: bool) -> mqtt.Client:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5, manual_ack=manual_ack)
    client.username_pw_set(username, password)
    client.reconnect_delay_set(min_delay=1, max_delay=10)
    return client


def _connect(client: mqtt.Client, url: str) -> None:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    address = urlsplit(url)
    if address.scheme == "mqtts":
        client.tls_set()
    client.connect_async(
        address.hostname or "127.0.0.1", address.port or 1883, KEEPALIVE_S, clean_start=False, properties=properties
    )
    client.loop_start()


class Subscriber:
    """Receives with a session that outlives this process, and acknowledges only when it is told to."""

    def __init__(self, url: str, *, name: str, username: str, password: str, topics: Iterable[str]) -> None:
        self._topics = list(topics)
        self._received: queue.Queue[Received] = queue.Queue(maxsize=QUEUE_SIZE)
        self._generation = 0
        self._closing = False
        self.taken_over = False
        self._client = _client(name, username, password, manual_ack=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        _connect(self._client, url)

    def _on_connect(self, client: mqtt.Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            log.warning("the broker refused: %s", reason)
            return
        self._generation += 1
        log.info("connected; the broker %s our session", "still had" if flags.session_present else "had lost")
        client.subscribe([(topic, SubscribeOptions(qos=1, noLocal=True)) for topic in self._topics])

    def _on_disconnect(self, client: mqtt.Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._generation += 1  # at once: between two connections nothing may be acknowledged
        self.taken_over = reason.value == TAKEN_OVER
        if not self._closing:
            log.warning("disconnected: %s", reason)

    def _on_message(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        topic = message._topic.decode("utf-8", errors="replace")
        wire = WireMessage(
            topic, bytes(message.payload), clock.now(), retained=bool(message.retain), repeated=bool(message.dup)
        )
        received = Received(wire, message.mid, self._generation)
        while not self._closing:
            try:
                self._received.put(received, timeout=1)
                return
            except queue.Full:
                continue  # not reading the socket is how the broker is told to wait

    def take(self, *, most: int, wait_s: float) -> list[Received]:
        """Up to ``most`` messages in the order they came; the first may take ``wait_s``."""
        batch: list[Received] = []
        try:
            batch.append(self._received.get(timeout=wait_s))
            while len(batch) < most:
                batch.append(self._received.get_nowait())
        except queue.Empty:
            pass
        return batch

    def acknowledge(self, batch: Iterable[Received]) -> None:
        """Say that these are stored, in the order they came. Those of an older connection come again anyway."""
        for received in batch:
            if received.generation == self._generation and received.mid:
                self._client.ack(received.mid, 1)

    def publish(self, topic: str, payload: bytes | dict[str, Any]) -> None:
        told = payload if isinstance(payload, bytes) else json.dumps(payload, separators=(",", ":"))
        self._client.publish(topic, told, qos=1)

    @property
    def alive(self) -> bool:
        """Whether the network thread still works; without it nothing would ever arrive again."""
        thread = self._client._thread
        return thread is not None and thread.is_alive()

    def close(self) -> None:
        self._closing = True
        self._client.disconnect()
        self._client.loop_stop()


class Publisher:
    """A device's side: publishes at QoS 1 and hears what is said to it."""

    def __init__(
        self,
        url: str,
        *,
        username: str,
        password: str,
        listen_to: str | None = None,
        hear: Callable[[bytes], None] | None = None,
    ) -> None:
        self._listen_to = listen_to
        self._hear = hear
        self._connected = threading.Event()
        self._room = threading.Condition()
        self._under_way: set[int] = set()
        self._receipts_before_note: set[int] = set()
        self.refused: str | None = None
        self._client = _client(f"meter-{username}", username, password, manual_ack=False)
        self._client.max_inflight_messages_set(200)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self._connected.clear()
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        _connect(self._client, url)

    def _on_connect(self, client: mqtt.Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        self.refused = str(reason) if reason.is_failure else None
        if not reason.is_failure:
            if self._listen_to is not None:
                client.subscribe(self._listen_to, qos=1)
            self._connected.set()

    def _on_publish(self, client: mqtt.Client, _: Any, mid: int, reason: Any, properties: Any) -> None:
        with self._room:
            if mid in self._under_way:
                self._under_way.discard(mid)
            else:
                self._receipts_before_note.add(mid)
            self._room.notify_all()

    def _on_message(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        if self._hear is not None:
            self._hear(bytes(message.payload))

    def wait_until_connected(self, limit_s: float = CONNECT_LIMIT_S) -> bool:
        return self._connected.wait(limit_s)

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message to the network thread; it is sent again after a reconnect until the broker has it."""
        # Not under our lock: paho holds its own while it calls back, and each would wait for the other.
        mid = self._client.publish(topic, payload, qos=1).mid
        with self._room:
            if mid in self._receipts_before_note:
                self._receipts_before_note.discard(mid)
            else:
                self._under_way.add(mid)

    def drain(self, *, most_left: int = 0, limit_s: float = 60.0) -> bool:
        """Wait until at most ``most_left`` messages are still without the broker's receipt."""
        end = time.monotonic() + limit_s
        with self._room:
            while len(self._under_way) > most_left:
                if not self._room.wait(min(1.0, max(0.0, end - time.monotonic()))) and time.monotonic() >= end:
                    return False
        return True

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
