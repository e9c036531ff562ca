"""What the embedded mosquitto refused, read from its log: wrong passwords, and topics that belong to others.

A denied message is told with the client's own name and the account that it connected with; of a refused
connection mosquitto tells neither, so it is told with the address that it came from. Mosquitto 2.0 also cuts the
connection of a client that it denies a message. Whom the password of another meter lets in *is* that meter for the
broker: only a signature tells the two apart. ``iotcore`` knows no topic rules and logs nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

LOG = "log"
CONNECT = "connect"
MOST_READ = 4 * 1024 * 1024
_LINE = re.compile(rb"(\d{9,11}): (.*)\n")
_DENIED = re.compile(rb"Denied PUBLISH from (.*) \(d\d, q\d, r\d, m\d+, '(.*)', \.\.\. \(\d+ bytes\)\)\Z")
_CAME = re.compile(rb"New connection from (\S+?)(?::\d+)? on port \d+\.\Z")
_UNNAMED = b"<unknown>"
_UNKNOWN = re.compile(rb"Client (.*?)(?: \[[^\]]*\])? disconnected[,:] [Nn]ot authori[sz]ed\.\Z")
_KNOWN = re.compile(rb"New client connected from \S+ as (.*) \(p\d, c\d, k\d+, u'(.*)'\)\.\Z")


@dataclass(frozen=True, slots=True)
class BrokerRefusal:
    """``what`` is the topic that ``client`` may not publish to, or ``"connect"``; then ``username`` is "".

    ``client`` is the name that it gave itself, or the address of who was not let in, or "" if not even that is known.
    """

    at: datetime
    client: str
    username: str
    what: str


def refusals_since(folder: Path, position: int) -> tuple[list[BrokerRefusal], int]:
    """The refusals in the log of the broker in ``folder`` behind ``position`` (bytes), and the new position.

    Reads at most ``MOST_READ`` bytes and whole lines only, so asking again goes on; a log that was started anew is
    read from its beginning. O(what is new), and once over what is old where a refused client connected before it.
    """
    path = folder / LOG
    try:
        size = path.stat().st_size
        position = position if position <= size else 0
        with path.open("rb") as log:
            log.seek(position)
            new = log.read(MOST_READ)
    except FileNotFoundError:
        return [], 0
    end = new.rfind(b"\n") + 1
    if end == 0:
        return [], position + (len(new) if len(new) == MOST_READ else 0)
    names: dict[bytes, bytes] = {}
    found: list[tuple[int, bytes, bytes | None, bytes]] = []
    came: list[bytes] = []  # and was neither let in nor turned away yet
    for second, text in _LINE.findall(new[:end]):
        if arrived := _CAME.match(text):
            came.append(arrived[1])
        elif known := _KNOWN.match(text):
            names[known[1]] = known[2]
            came = came[:-1]
        elif denied := _DENIED.match(text):
            found.append((int(second), denied[1], names.get(denied[1]), denied[2]))
        elif unknown := _UNKNOWN.match(text):
            address = came.pop() if came else b""  # the last who came: the others wait for their turn as well
            found.append((int(second), address if unknown[1] == _UNNAMED else unknown[1], b"", CONNECT.encode()))
        elif text.startswith(b"Client " + _UNNAMED):
            came = came[:-1]
    if any(username is None for _, _, username, _ in found):
        names = _connected_before(path, position)
    told = [
        BrokerRefusal(
            datetime.fromtimestamp(second, UTC),
            _text(client),
            _text(names.get(client, b"") if username is None else username),
            _text(what),
        )
        for second, client, username, what in found
    ]
    return told, position + end


def _connected_before(path: Path, position: int) -> dict[bytes, bytes]:
    """The account that each client connected with last, of the log before ``position``."""
    names: dict[bytes, bytes] = {}
    read = 0
    with path.open("rb") as log:
        for line in log:
            read += len(line)
            if read > position:
                break
            if (told := _LINE.match(line)) and (known := _KNOWN.match(told[2])):
                names[known[1]] = known[2]
    return names


def _text(told: bytes) -> str:
    return told.decode("utf-8", "replace")
