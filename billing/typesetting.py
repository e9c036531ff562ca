"""Templates set as PDF by Typst, with the fonts of a locked package."""

from __future__ import annotations

import importlib.util
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import typst

TEMPLATES = Path(__file__).parent / "templates"


class Press:
    """One template and the compiler that sets it. The same facts give the same bytes.

    A compiler refuses a second thread; keeping one is faster than a new one each time, and each costs 70 MB.
    """

    def __init__(self, template: str) -> None:
        self._template = TEMPLATES / template
        self._one_at_a_time = threading.Lock()

    def printed(self, told_text: str) -> bytes:
        """The document that says what this JSON tells."""
        with self._one_at_a_time:
            return bytes(self._compiler.compile(format="pdf", sys_inputs={"data": told_text}))

    @cached_property
    def _compiler(self) -> Any:
        return typst.Compiler(input=str(self._template), font_paths=[str(_fonts())], ignore_system_fonts=True)


def _fonts() -> Path:
    spec = importlib.util.find_spec("pylopdf_fonts_zh_cn")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pylopdf-fonts-zh-cn is missing; run make setup")
    return Path(spec.origin).parent
