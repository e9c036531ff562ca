"""Whatever a program sends that the description allows, or does not, it hears an answer that the description names."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.integration import page_world

EACH = settings(
    max_examples=60,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def signed_in(app, session) -> tuple[schemathesis.BaseSchema, dict[str, str]]:
    world = page_world.build(session)
    client = app.test_client()
    with client.session_transaction() as browser_session:
        browser_session["_user_id"] = str(world.people["member"].id)
        browser_session["_fresh"] = True
    cookie = client.get_cookie("session")
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app), {"Cookie": f"session={cookie.value}"}


def test_the_api_answers_as_its_description_says(signed_in):
    schema, headers = signed_in
    tried = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == "/api/v1/session":
            continue  # argon2 is slow on purpose; its answers have tests of their own

        @given(case=operation.as_strategy())
        @EACH
        def answers(case) -> None:
            # That an end comes after its start no schema can say: such a wish is refused, as described.
            case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

        answers()
        tried.add(operation.label)
    assert {"POST /api/v1/reservations", "PATCH /api/v1/reservations/{reservation_id}"} <= tried
