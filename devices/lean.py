"""paho that reads many messages at once. Used by devices/client.py alone.

Stock paho reads a message with eight system calls, which is slower than storing it. This one reads the socket
in large portions, takes PUBLISH apart itself and writes many acknowledgements at once; everything else stays
paho's. It touches names that are private to paho, so paho is pinned and tests/integration/test_client.py holds
it to what is promised here. MQTT 5 only.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.client import _ConnectionState
from paho.mqtt.exception import MalformedPacket

READ_SIZE = 256 * 1024
PUBLISH = 0x30
HANG_UP_S = 2.0
"""A broker that takes longer to close a connection is not waited for."""


class Published(NamedTuple):
    """A PUBLISH as it came. ``mid`` is 0 at QoS 0."""

    topic: bytes
    payload: bytes
    mid: int
    repeated: bool
    retained: bool


class LeanClient(mqtt.Client):
    """``heard`` is called on the network thread with what one read of the socket brought."""

    def __init__(self, *args: Any, heard: Callable[[list[Published]], None], **named: Any) -> None:
        super().__init__(*args, **named)
        self._heard = heard
        self._unread = bytearray()

    def _sock_close(self) -> None:
        self._unread = bytearray()
        if self._sock is not None and self._state == _ConnectionState.MQTT_CS_DISCONNECTING:
            _read_to_the_end(self._sock)
        super()._sock_close()

    def loop_read(self, max_packets: int = 1) -> mqtt.MQTTErrorCode:
        if self._sock is None:
            return mqtt.MQTTErrorCode.MQTT_ERR_NO_CONN
        try:
            data = self._sock.recv(READ_SIZE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return mqtt.MQTTErrorCode.MQTT_ERR_SUCCESS
        except ssl.SSLWantWriteError:
            self._call_socket_register_write()
            return mqtt.MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError:
            data = b""
        if not data:
            return self._loop_rc_handle(mqtt.MQTTErrorCode.MQTT_ERR_CONN_LOST)
        self._unread += data
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        return self._take_apart()

    def _take_apart(self) -> mqtt.MQTTErrorCode:
        """Handle every packet that is whole; what is left waits for the next read."""
        unread, start = self._unread, 0
        portion: list[Published] = []
        rc = mqtt.MQTTErrorCode.MQTT_ERR_SUCCESS
        try:
            while (bounds := _packet_bounds(unread, start)) is not None:
                body, end = bounds
                if unread[start] & 0xF0 == PUBLISH:
                    portion.append(_published(unread[start], bytes(unread[body:end])))
                else:
                    rc = self._leave_to_paho(unread[start], unread[body:end])
                start = end
                if rc != mqtt.MQTTErrorCode.MQTT_ERR_SUCCESS or self._unread is not unread:
                    break
            del unread[:start]
        except (IndexError, ValueError):
            rc = mqtt.MQTTErrorCode.MQTT_ERR_PROTOCOL
        if portion:
            self._heard(portion)
        return rc if rc == mqtt.MQTTErrorCode.MQTT_ERR_SUCCESS else self._loop_rc_handle(rc)

    def _leave_to_paho(self, command: int, body: bytearray) -> mqtt.MQTTErrorCode:
        whole = {"command": command, "have_remaining": 1, "remaining_length": len(body), "packet": body}
        fresh = {"remaining_count": [], "remaining_mult": 1, "to_process": 0, "pos": 0}
        self._in_packet = {**whole, **fresh}  # type: ignore[typeddict-item]
        try:
            return self._packet_handle()
        except MalformedPacket:
            return mqtt.MQTTErrorCode.MQTT_ERR_PROTOCOL

    def acknowledge(self, mids: Sequence[int]) -> None:
        """One write for all of them, in this order."""
        packet = b"".join(b"\x40\x02" + mid.to_bytes(2) for mid in mids)
        self._packet_queue(mqtt.PUBACK, packet, 0, 0)


def _read_to_the_end(sock: Any) -> None:
    """Until the broker hangs up, as it does once it read our farewell.

    A socket that is closed while something is unread resets the connection, and what the broker has not read yet, our
    last acknowledgements, is lost.
    """
    sock.settimeout(HANG_UP_S)
    with contextlib.suppress(OSError):
        while sock.recv(READ_SIZE):
            pass


def _packet_bounds(unread: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """Where the body of the packet at ``start`` begins and ends; None while it is not whole. Errors: ``ValueError``."""
    length, shift = 0, 0
    for place in range(start + 1, len(unread)):
        length |= (unread[place] & 0x7F) << shift
        shift += 7
        if unread[place] < 0x80:
            end = place + 1 + length
            return (place + 1, end) if end <= len(unread) else None
        if shift == 28:
            raise ValueError("a packet's length has four bytes at most")
    return None


def _published(command: int, body: bytes) -> Published:
    """Errors: ``IndexError`` for one cut short."""
    end = 2 + (body[0] << 8 | body[1])
    topic, mid = body[2:end], 0
    if command & 0x06:
        mid, end = body[end] << 8 | body[end + 1], end + 2
    properties = _packet_bounds(body, end - 1) if body[end] else (end + 1, end + 1)
    if properties is None:
        raise IndexError("properties end after the packet")
    return Published(topic, body[properties[1] :], mid, bool(command & 0x08), bool(command & 0x01))
