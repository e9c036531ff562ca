"""The chain of seals that a dossier carries: signed one by one, each naming the hash of the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from billing.rules.dossier.wrong import DoesNotHold, insist
from devices.rules.leaf import EPOCH, seal_hash, statement_of

NOTHING = "0" * 64
"""What the first seal names as the one before."""
Signed = Callable[[bytes, bytes, bytes], bool]
"""Whether a key has signed a message: (key, signature, message)."""


@dataclass(slots=True)
class Chain:
    """Seals by id: their number of leaves and their root. ``hashes`` are those of all, ``last`` that of the last."""

    seals: dict[int, tuple[int, str]] = field(default_factory=dict)
    hashes: set[str] = field(default_factory=set)
    last: str = NOTHING


def chained(name: str, told: Iterable[Mapping[str, Any]], *, key: bytes, signed: Signed) -> Chain:
    """The chain from its first seal on. Errors: ``DoesNotHold`` naming the first seal that breaks."""
    chain = Chain()
    before = "the beginning of the chain"
    for seal in told:
        number, which = int(seal["id"]), f"seal {seal['id']}"
        if chain.last != seal["previous_hash"]:
            expected = f"the seal that follows {before} ({chain.last})"
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
        own = seal_hash(statement).hex()
        insist(name, f"{which}, its hash", expected=own, found=seal["hash"])
        if number in chain.seals:
            raise DoesNotHold(name, which, expected="once", found="more than once")
        chain.seals[number] = int(seal["leaf_count"]), str(seal["root"])
        chain.hashes.add(own)
        chain.last, before = own, str(number)
    return chain
