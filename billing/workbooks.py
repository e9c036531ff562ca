"""Excel files that people upload: opened without running or fetching anything.

Macros, other formats, entities and archives that unpack to too much are refused.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import Any

import openpyxl

from app.kernel.errors import InvalidInput

MOST_BYTES, MOST_UNPACKED, MOST_FILES = 3 << 20, 60 << 20, 400
XLSX_MAIN = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"


def open_workbook(content: bytes, *, formulas: bool = False) -> Any:
    """The workbook with the values of its cells, or with their formulas.

    Errors: ``InvalidInput`` for what is no plain .xlsx file.
    """
    _insist_harmless(content)
    try:
        with warnings.catch_warnings():
            # Drop-down lists of newer Excel are dropped with a warning.
            warnings.simplefilter("ignore")
            return openpyxl.load_workbook(io.BytesIO(content), data_only=not formulas)
    except Exception as error:
        raise _unreadable() from error


def _unreadable() -> InvalidInput:
    return InvalidInput("这个文件打不开。请上传 .xlsx 文件，不要另存为其他格式。", field="workbook")


def _insist_harmless(content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise InvalidInput("文件超过 3 MB。请重新下载空白表格再上传。", field="workbook")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_FILES or sum(part.file_size for part in parts) > MOST_UNPACKED:
                raise InvalidInput("文件解开后过大，已拒绝。请重新下载空白表格再上传。", field="workbook")
            if any(part.filename.lower().endswith(("vbaproject.bin", ".exe", ".dll")) for part in parts):
                raise InvalidInput("文件带有宏，已拒绝。请上传不带宏的 .xlsx 文件。", field="workbook")
            kinds = archive.read("[Content_Types].xml")
            if b"macroEnabled" in kinds:
                raise InvalidInput("文件带有宏，已拒绝。请上传不带宏的 .xlsx 文件。", field="workbook")
            if XLSX_MAIN not in kinds:
                raise _unreadable()
            for part in parts:
                if part.filename.lower().endswith((".xml", ".rels", ".vml")):
                    _insist_plain(archive.read(part))
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise _unreadable() from error


def _insist_plain(xml: bytes) -> None:
    """No document type, so no entities; only UTF-8, so that none can hide."""
    if xml[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in xml[:64] or b"<!DOCTYPE" in xml or b"<!ENTITY" in xml:
        raise InvalidInput("文件内容不是普通的 Excel 表格，已拒绝。", field="workbook")
