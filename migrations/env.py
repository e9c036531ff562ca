"""How Alembic reaches the application's database and tables."""

from __future__ import annotations

from alembic import context

from app.kernel.db import db

with db.engine.connect() as connection:
    context.configure(connection=connection, target_metadata=db.metadata)
    with context.begin_transaction():
        context.run_migrations()
