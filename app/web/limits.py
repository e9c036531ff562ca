"""How often one address may try to sign in or read calendars. Counted in each process: a brake, not a ledger."""

from __future__ import annotations

from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

SIGN_IN = "10 per minute"
FEED = "120 per minute"
limiter = Limiter(get_remote_address, storage_uri="memory://", default_limits=[])
