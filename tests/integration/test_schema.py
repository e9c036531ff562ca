from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.kernel.db import db

BY_HAND = ("reading", "raw_message", "alembic_version")


def test_the_migrations_make_the_tables_that_the_models_describe(app):
    with db.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), db.metadata)
    unexpected = [
        difference
        for difference in differences
        if not (
            difference[0] in ("remove_table", "remove_index")
            and str(getattr(difference[1], "table", difference[1])).startswith(BY_HAND)
        )
    ]
    assert unexpected == []
