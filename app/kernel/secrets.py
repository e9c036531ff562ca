"""The installation's master key, and the keys for single purposes derived from it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path


def master_key(folder: Path) -> bytes:
    """The 32 random bytes kept in ``folder``; made at the first call, readable by the owner alone."""
    path = folder / "master.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_bytes(secrets.token_bytes(32))
        try:
            os.link(draft, path)  # atomic: of two processes that start at once, one key stays
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


def key_for(purpose: str, *, master: bytes) -> bytes:
    """A key of its own for ``purpose``: knowing one tells nothing of another."""
    return hmac.new(master, purpose.encode(), hashlib.sha256).digest()
