"""Check the proof of one reading, with Python's standard library and nothing else.

    python verify_proof.py proof.json PUBLIC_KEY

PUBLIC_KEY is the site's, in hexadecimal, as it was had from somebody who is trusted. Prints what the proof proves;
ends with 1 where it does not hold. What the bytes are is told in sealing.md.
"""

from __future__ import annotations

import base64
import json
import sys
from hashlib import sha256, sha512
from pathlib import Path

FIELDS = (
    "format", "meter", "boot", "seq", "taken_us", "power_mw", "energy_mwh", "running", "count", "received_us",
    "key_id", "backfill", "message",
)  # fmt: skip
P = 2**255 - 19  # the field and the curve of Ed25519: RFC 8032, section 5.1
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE_Y = 4 * pow(5, -1, P) % P


def word(value: object) -> str:
    if value is None:
        return ""
    return ("f", "t")[value] if isinstance(value, bool) else str(value)


def leaf_hash(leaf: dict) -> bytes:
    return sha256(b"\0" + "|".join(word(leaf[name]) for name in FIELDS).encode()).digest()


def root_from(found: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 6962: what leaf and path lead to. Errors: ``ValueError`` for a path of the wrong length."""
    if not 0 <= index < size:
        raise ValueError("there is no such leaf")
    last, steps = size - 1, list(path)
    while last:
        if index % 2 or index < last:
            if not steps:
                raise ValueError("the path is too short")
            step = steps.pop(0)
            found = sha256(b"\1" + (step + found if index % 2 else found + step)).digest()
        index, last = index // 2, last // 2
    if steps:
        raise ValueError("the path is too long")
    return found


def statement(seal: dict) -> bytes:
    lines = ["pilotshare-seal-1", seal["previous_hash"], str(seal["leaf_count"]), seal["root"], str(seal["sealed_us"])]
    return "\n".join(lines).encode()


def x_of(y: int, odd: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and odd):
        raise ValueError("no point of the curve")
    return P - x if x % 2 != odd else x


def point(packed: bytes) -> tuple[int, int]:
    number = int.from_bytes(packed, "little")
    y = number % 2**255
    if len(packed) != 32 or y >= P:
        raise ValueError("no point of the curve")
    return x_of(y, number >> 255), y


def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    (a, b), (c, d) = one, other
    both = D * a * b * c * d
    return (a * d + b * c) * pow(1 + both, -1, P) % P, (b * d + a * c) * pow(1 - both, -1, P) % P


def times(number: int, one: tuple[int, int]) -> tuple[int, int]:
    result = (0, 1)
    while number:
        if number % 2:
            result = add(result, one)
        one, number = add(one, one), number // 2
    return result


def signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this is the key's Ed25519 signature of the message."""
    try:
        key, nonce, answer = point(public_key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    except ValueError:
        return False
    if len(signature) != 64 or answer >= ORDER:
        return False
    asked = int.from_bytes(sha512(signature[:32] + public_key + message).digest(), "little") % ORDER
    return times(answer, (x_of(BASE_Y, 0), BASE_Y)) == add(nonce, times(asked, key))


def wrong(proof: dict, public_key: bytes) -> str:
    """Why the proof does not hold; nothing where it does."""
    leaf, seal, message = proof["leaf"], proof["seal"], proof["message"]
    if bytes.fromhex(seal["public_key"]) != public_key:
        return "the seal is of another key"
    if not signed(public_key, statement(seal), bytes.fromhex(seal["signature"])):
        return "the signature does not fit the seal"
    topic, payload = message["topic"].encode(), base64.b64decode(message["payload_base64"])
    if sha256(topic + b"\0" + payload).hexdigest() != leaf["message"]:
        return "the message is not the one that the reading came in"
    try:
        path = [bytes.fromhex(step) for step in proof["path"]]
        found = root_from(leaf_hash(leaf), proof["index"], seal["leaf_count"], path)
    except ValueError as error:
        return str(error)
    return "" if found.hex() == seal["root"] else "the reading is not in the seal"


def main() -> int:
    proof = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    reason = wrong(proof, bytes.fromhex(sys.argv[2]))
    leaf = proof["leaf"]
    name = f"meter {leaf['meter']}, boot {leaf['boot']}, number {leaf['seq']}"
    name += f", {leaf['power_mw']} mW, {leaf['energy_mwh']} mWh"
    print(f"does not hold: {reason}" if reason else f"holds: {name}, sealed in {proof['seal']['id']}")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
