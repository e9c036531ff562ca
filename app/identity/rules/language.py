"""The languages that people can read, named as locales are."""

from __future__ import annotations

from enum import StrEnum


class Language(StrEnum):
    CHINESE = "zh_CN"
    ENGLISH = "en"
