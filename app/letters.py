"""What a notice says by e-mail, in the language of the person it goes to."""

from __future__ import annotations

from datetime import datetime

from flask_babel import force_locale, format_datetime, gettext

from app.identity.mailing import Letter
from app.identity.models import Notice
from app.identity.rules.language import Language
from app.identity.rules.notice import told

MOMENT = {Language.CHINESE: "y年M月d日 HH:mm", Language.ENGLISH: "d MMM y HH:mm"}


def letter_for(notice: Notice, *, site: str) -> Letter:
    """``site`` is the address of this installation, for links back. It needs an application context, no request."""
    language = notice.person.language

    def moment(at: datetime) -> str:
        return format_datetime(at, MOMENT[language])

    choices = f"{site}/notices/choices"
    with force_locale(language.value):
        said = told(gettext(notice.sentence), notice.facts, language=language, moment=moment)
        page = f"\n\n{site}{notice.path}" if notice.path else ""
        footer = gettext("邮件提醒设置：%(address)s", address=choices)
        return Letter(gettext("中试共享：%(said)s", said=said), f"{said}{page}\n\n——\n{footer}\n", choices)
