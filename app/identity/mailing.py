"""Send by e-mail what waits to be sent, and try again where the server could not take it.

A notice is locked, handed to the server, and marked; the caller commits. With ``limit=1`` each
message is its own transaction, so a crash in between sends at most that one twice and loses none.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from app.identity.models import Notice
from app.identity.rules.notice import MailState

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720))
PATIENCE_S = 10
LONGEST_SUBJECT = 100
LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Letter:
    """What one notice says by e-mail. ``choices_url`` is where the reader switches such mail off."""

    subject: str
    text: str
    choices_url: str


def send_waiting(
    session: Session, *, url: str, sender: str, render: Callable[[Notice], Letter], at: datetime, limit: int
) -> int:
    """Send what is due, oldest first; returns how many were tried. What others have claimed is passed over.

    ``url`` is ``smtp://user:password@host:port`` (encrypted where the server offers it) or ``smtps://``.
    """
    due = session.scalars(
        select(Notice)
        .join(Notice.person)
        .where(Notice.mail == MailState.WAITING, Notice.next_try_at <= at)
        .order_by(Notice.next_try_at, Notice.id)
        .limit(limit)
        .with_for_update(of=Notice, skip_locked=True)
        .options(contains_eager(Notice.person))
    ).all()
    for notice in due:
        if not notice.person.active:
            notice.mail, notice.next_try_at = MailState.UNWANTED, None
            continue
        try:
            _hand_over(_message(notice, render(notice), sender=sender, at=at), url)
        except (smtplib.SMTPException, OSError) as error:
            _note_failure(notice, error, at=at)
        else:
            notice.mail, notice.next_try_at, notice.mail_error = MailState.SENT, None, ""
    session.flush()
    return len(due)


def _message(notice: Notice, letter: Letter, *, sender: str, at: datetime) -> EmailMessage:
    """Its id is the notice's, so that a reader's program knows a message that came twice."""
    person, message = notice.person, EmailMessage()
    message["Subject"] = " ".join(letter.subject.split())[:LONGEST_SUBJECT]
    message["From"] = sender
    message["To"] = Address(display_name=" ".join(person.name.split()), addr_spec=person.email)
    message["Date"] = at
    message["Message-ID"] = f"<notice-{notice.id}@{sender.rpartition('@')[2].rstrip('>')}>"
    message["List-Unsubscribe"] = f"<{letter.choices_url}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    return message


def _hand_over(message: EmailMessage, url: str) -> None:
    server = urlsplit(url)
    secure, host = ssl.create_default_context(), server.hostname or "localhost"
    connection = (
        smtplib.SMTP_SSL(host, server.port or 465, timeout=PATIENCE_S, context=secure)
        if server.scheme == "smtps"
        else smtplib.SMTP(host, server.port or 25, timeout=PATIENCE_S)
    )
    with connection:
        connection.ehlo_or_helo_if_needed()
        if server.scheme != "smtps" and connection.has_extn("starttls"):
            connection.starttls(context=secure)
        if server.username:
            connection.login(unquote(server.username), unquote(server.password or ""))
        connection.send_message(message)


def _note_failure(notice: Notice, error: Exception, *, at: datetime) -> None:
    notice.tries += 1
    notice.mail_error = str(error)[:LONGEST_ERROR]
    if _is_final(error) or notice.tries > len(PAUSES):
        notice.mail, notice.next_try_at = MailState.FAILED, None
    else:
        notice.next_try_at = at + PAUSES[notice.tries - 1]


def _is_final(error: Exception) -> bool:
    """Whether the server will never take this message. A wrong password is our fault, and is tried again."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500
