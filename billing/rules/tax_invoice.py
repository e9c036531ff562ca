"""Tax invoices (数电票): their kinds and numbers."""

from __future__ import annotations

import re
from enum import StrEnum

from app.kernel.errors import InvalidInput


class TaxInvoiceKind(StrEnum):
    SPECIAL = "special"
    ORDINARY = "ordinary"


KIND_WORDS = {TaxInvoiceKind.SPECIAL: "增值税专用发票", TaxInvoiceKind.ORDINARY: "普通发票"}
"""As the tax bureau's workbook writes them."""


def e_invoice_number(given: str, *, field: str = "number") -> str:
    """The 20 digits of an e-invoice number, spaces left out. Errors: ``InvalidInput``."""
    number = "".join(given.split())
    if not re.fullmatch(r"[0-9]{20}", number):
        raise InvalidInput("数电票号码是 20 位数字，请照发票右上角核对后填写。", field=field)
    return number
