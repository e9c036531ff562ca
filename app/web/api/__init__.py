"""The JSON API: the same use cases and rules as the pages. Its description is at ``/api/v1/openapi.json``."""

from __future__ import annotations

from functools import partial

from flask import Flask
from flask_smorest import Api

from app.identity.rules.permission import Permission
from app.web.access import requires
from app.web.api import equipment, reservations, session


def register(app: Flask) -> None:
    app.config.update(
        API_TITLE="PilotShare",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = Api(app)
    for blueprint in (session.blueprint, equipment.blueprint, reservations.blueprint):
        api.register_blueprint(blueprint)
    description = "api-docs.openapi_json"
    app.view_functions[description] = requires(Permission.BROWSE)(partial(app.view_functions[description]))
    app.extensions["csrf"].exempt(session.SIGN_IN_VIEW)
