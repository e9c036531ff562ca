"""The chain of seals that a dossier carries: signed one by one, each naming the hash of the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from billing.rules.dossier.wrong import DoesNotHold, insist
from devices.rules.leaf import EPOCH, seal_hash, statement_of

Signed = Callable[[bytes, bytes, bytes], bool]
"""Whether a key has signed a message: (key, signature, message)."""


def chained(name: str, told: Iterable[Mapping[str, Any]], *, key: bytes, signed: Signed) -> dict[int, tuple[int, str]]:
    """The number of leaves and the root of each seal. Errors: ``DoesNotHold`` naming the first seal that breaks."""
    found: dict[int, tuple[int, str]] = {}
    before: tuple[int, str] | None = None
    for seal in told:
        number, which = int(seal["id"]), f"seal {seal['id']}"
        if before is not None and before[1] != seal["previous_hash"]:
            expected = f"the seal that follows {before[0]} ({before[1]})"
            raise DoesNotHold(name, f"{which}, the one before", expected=expected, found=seal["previous_hash"])
        statement = statement_of(
            previous_hash=bytes.fromhex(seal["previous_hash"]),
            leaf_count=int(seal["leaf_count"]),
            root=bytes.fromhex(seal["root"]),
            sealed_at=EPOCH + timedelta(microseconds=int(seal["sealed_us"])),
        )
        insist(name, f"{which}, its key", expected=key.hex(), found=seal["public_key"])
        if not signed(key, bytes.fromhex(seal["signature"]), statement):
            raise DoesNotHold(name, f"{which}, its signature", expected="one of the house's key", found="another")
        found[number] = int(seal["leaf_count"]), str(seal["root"])
        before = number, seal_hash(statement).hex()
    return found
