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
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from app.kernel import clock
from devices.hearing import WireMessage
from devices.lean import LeanClient, Published

log = logging.getLogger("pilotshare.mqtt")

SESSION_EXPIRY_S = 7 * 24 * 3600
RECEIVE_MAXIMUM = 4000
MOST_WAITING = 8000  # messages, and
MOST_BYTES = 64 * 1024 * 1024  # of payload that wait in this process while the database is away
KEEPALIVE_S = 30
CONNECT_LIMIT_S = 15.0
TAKEN_OVER = 0x8E


class Received(NamedTuple):
    """A message with what is needed to acknowledge it."""

    message: WireMessage
    mid: int
    generation: int


class _Inbox:
    """What was received and not taken yet, in order. Bounded by number and by bytes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Received] = deque()
        self._bytes = 0
        self.closed = False

    def put(self, portion: Sequence[Received]) -> None:
        """Waits while it is full; then a whole portion of one read from the socket goes in."""
        with self._changed:
            while not self.closed and (len(self._waiting) >= MOST_WAITING or self._bytes >= MOST_BYTES):
                self._changed.wait()  # not reading the socket is how the broker is told to wait
            self._waiting.extend(portion)
            self._bytes += sum(len(received.message.payload) for received in portion)
            self._changed.notify_all()

    def take(self, most: int, wait_s: float) -> list[Received]:
        with self._changed:
            if not self._waiting:
                self._changed.wait(wait_s)
            batch = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._bytes -= sum(len(received.message.payload) for received in batch)
            self._changed.notify_all()
        return batch

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._changed.notify_all()


def _as(client: mqtt.Client, username: str, password: str) -> mqtt.Client:
    client.username_pw_set(username, password)
    client.reconnect_delay_set(min_delay=1, max_delay=10)
    return client


def _connect(client: mqtt.Client, url: str) -> None:
    """``mqtts://host:port?ca=FILE`` believes the authority in the file; without it, those of the system."""
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    address = urlsplit(url)
    if address.scheme == "mqtts":
        client.tls_set(ca_certs=parse_qs(address.query).get("ca", [None])[0])
    client.connect_async(
        address.hostname or "127.0.0.1", address.port or 1883, KEEPALIVE_S, clean_start=False, properties=properties
    )
    client.loop_start()


class Subscriber:
    """Receives with a session that outlives this process, and acknowledges only when it is told to.

    ``session_lost`` once the broker had none of ours (any more): messages may be missing. Who has asked the
    meters for them sets it back.
    """

    def __init__(self, url: str, *, name: str, username: str, password: str, topics: Iterable[str]) -> None:
        self._topics = list(topics)
        self._inbox = _Inbox()
        self._generation = 0
        self._closing = False
        self.session_lost = False
        self.taken_over = False
        lean = LeanClient(
            mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5, manual_ack=True, heard=self._hear
        )
        self._client = lean
        _as(lean, username, password)
        lean.on_connect = self._on_connect
        lean.on_disconnect = self._on_disconnect
        _connect(lean, url)

    def _on_connect(self, client: mqtt.Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            log.warning("the broker refused: %s", reason)
            return
        self._generation += 1
        self.session_lost |= not flags.session_present
        log.info("connected; the broker %s our session", "still had" if flags.session_present else "had lost")
        client.subscribe([(topic, SubscribeOptions(qos=1, noLocal=True)) for topic in self._topics])

    def _on_disconnect(self, client: mqtt.Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._generation += 1  # at once: between two connections nothing may be acknowledged
        self.taken_over = reason.value == TAKEN_OVER
        if not self._closing:
            log.warning("disconnected: %s", reason)

    def _hear(self, portion: Sequence[Published]) -> None:
        now, generation = clock.now(), self._generation
        self._inbox.put(
            [
                Received(
                    WireMessage(one.topic.decode("utf-8", "replace"), one.payload, now, one.retained, one.repeated),
                    one.mid,
                    generation,
                )
                for one in portion
            ]
        )

    def take(self, *, most: int, wait_s: float) -> list[Received]:
        """Up to ``most`` messages in the order they came; the first may take ``wait_s``."""
        return self._inbox.take(most, wait_s)

    def acknowledge(self, batch: Iterable[Received]) -> None:
        """Say that these are stored, in the order they came. Those of an older connection come again anyway."""
        mids = [received.mid for received in batch if received.generation == self._generation and received.mid]
        if mids:
            self._client.acknowledge(mids)

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
        self._inbox.close()
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
        listen_to: Sequence[str] = (),
        hear: Callable[[str, bytes], None] = lambda topic, payload: None,
        connected: Callable[[], None] = lambda: None,
        will: tuple[str, bytes] | None = None,
    ) -> None:
        self._listen_to = list(listen_to)
        self._hear = hear
        self._tell_connected = connected
        self._connected = threading.Event()
        self._room = threading.Condition()
        self._under_way: set[int] = set()
        self._receipts_before_note: set[int] = set()
        self.refused: str | None = None
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"meter-{username}", protocol=mqtt.MQTTv5)
        self._client = _as(client, username, password)
        self._client.max_inflight_messages_set(200)
        if will is not None:
            self._client.will_set(*will, qos=1)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self._connected.clear()
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        _connect(self._client, url)

    def _on_connect(self, client: mqtt.Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        self.refused = str(reason) if reason.is_failure else None
        if not reason.is_failure:
            if self._listen_to:
                client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in self._listen_to])
            self._tell_connected()
            self._connected.set()

    def _on_publish(self, client: mqtt.Client, _: Any, mid: int, reason: Any, properties: Any) -> None:
        with self._room:
            if mid in self._under_way:
                self._under_way.discard(mid)
            else:
                self._receipts_before_note.add(mid)
            self._room.notify_all()

    def _on_message(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        self._hear(message.topic, bytes(message.payload))

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
