"""PilotShare (中试共享): shared booking, metering, billing and subsidy evidence for pilot-scale platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask


def create_app(**overrides: Any) -> Flask:
    """The Flask application. Imported late, so that importing a part of the house stays light."""
    from app.factory import create_app as assemble

    return assemble(**overrides)
