"""The JSON API: the same use cases and rules as the pages. Its description is at ``/api/v1/openapi.json``."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from flask import Flask
from flask_smorest import Api

from app.identity.rules.permission import Permission
from app.web.access import requires
from app.web.api import equipment, finding, reservations, series, session
from app.web.api.schemas import ProblemOut

PROBLEM = "application/problem+json"


class Description(Api):
    """The OpenAPI document, with refusals as what they are: problem details, answered as everywhere in the house."""

    ERROR_SCHEMA = ProblemOut
    DEFAULT_ERROR_RESPONSE_NAME = "PROBLEM"

    def _register_responses(self) -> None:
        described = {"description": "refused", "content": {PROBLEM: {"schema": self.ERROR_SCHEMA}}}
        self.spec.components.response(self.DEFAULT_ERROR_RESPONSE_NAME, described)
        for status in HTTPStatus:
            self.spec.components.response(status.name, {**described, "description": status.phrase}, lazy=True)

    def _register_error_handlers(self) -> None:
        """None of its own: :mod:`app.web.errors` answers."""


def register(app: Flask) -> None:
    app.config.update(
        API_TITLE="PilotShare",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = Description(app)
    for part in (session, equipment, finding, reservations, series):
        api.register_blueprint(part.blueprint)
    description = "api-docs.openapi_json"
    app.view_functions[description] = requires(Permission.BROWSE)(partial(app.view_functions[description]))
    app.extensions["csrf"].exempt(session.SIGN_IN_VIEW)
