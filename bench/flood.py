"""A device that publishes as fast as a broker takes it: prepared bytes on a plain socket, QoS 1, within its window.

``python -m bench.flood PORT CODE PASSWORD BOOT READINGS BATCH`` prints a line when the broker has it all.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from devices.rules.topic import topic_of
from devices.simulating.speaking import native_message

START = datetime(2026, 1, 2, tzinfo=UTC)
WINDOW = 800
PUBACK = 0x40


def main(port: int, code: str, password: str, boot: int, readings: int, batch: int) -> None:
    packets = list(published(code, boot, readings, batch))
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.sendall(connecting(code, password))
        wire.recv(4096)  # the broker's answer; a refusal shows at once, as a closed connection
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = acknowledged = 0
        unread = b""
        while acknowledged < len(packets):
            portion = packets[sent : acknowledged + WINDOW]
            if portion:
                wire.sendall(b"".join(portion))
                sent += len(portion)
            data = wire.recv(65536)
            if not data:
                raise ConnectionError("the broker closed the connection")
            unread += data
            while len(unread) > 1 and len(unread) >= 2 + unread[1]:
                acknowledged += unread[0] == PUBACK
                unread = unread[2 + unread[1] :]
    print("done", flush=True)


def published(code: str, boot: int, readings: int, batch: int) -> Iterator[bytes]:
    topic = topic_of(code, "data").encode()
    for number, first in enumerate(range(1, readings + 1, batch)):
        told = [(seq, START + timedelta(seconds=seq), 100.0, float(seq)) for seq in range(first, first + batch)]
        body = field(topic) + (number % 65535 + 1).to_bytes(2) + b"\0" + native_message(boot, told)
        yield b"\x32" + length(len(body)) + body


def connecting(code: str, password: str) -> bytes:
    body = field(b"MQTT") + b"\x05\xc2\x00\x3c\x00" + field(f"flood-{code}".encode()) + field(code.encode())
    body += field(password.encode())
    return b"\x10" + length(len(body)) + body


def field(text: bytes) -> bytes:
    return len(text).to_bytes(2) + text


def length(value: int) -> bytes:
    digits = bytearray()
    while True:
        value, digit = divmod(value, 128)
        digits.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(digits)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))
