"""The database session, and the one way to open a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from psycopg import errors as pg
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

Result = TypeVar("Result")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
            "ex": "ex_%(table_name)s_%(constraint_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)
migrate = Migrate()
if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model
"""What every table inherits."""


@contextmanager
def transaction() -> Iterator[Session]:
    """One unit of work: committed when the block ends, rolled back when it raises.

    Edges open it; use cases receive the session and only flush.
    """
    session = db.session()
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


def _worth_another_try(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and isinstance(error.orig, (pg.DeadlockDetected, pg.SerializationFailure))


def in_transaction(work: Callable[[Session], Result]) -> Result:
    """Do ``work`` in one transaction, again from the start if the database broke a deadlock."""
    for attempt in Retrying(
        retry=retry_if_exception(_worth_another_try),
        stop=stop_after_attempt(5),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    ):
        with attempt, transaction() as session:
            result = work(session)
    return result
