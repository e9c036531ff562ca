"""Amounts in Chinese capital numerals (人民币大写), as banks and the tax office want them.

Source: 支付结算办法, annex 1 (正确填写票据和结算凭证的基本规定).
"""

from __future__ import annotations

from app.kernel.money import Money

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿", "万亿")


def capital_numerals(amount: Money) -> str:
    """``1409.50`` → ``壹仟肆佰零玖元伍角``. Ends in 整 when there are no fen and no jiao.

    Errors: ``ValueError`` from 10^16 yuan on.
    """
    yuan, fen = divmod(abs(amount.fen), 100)
    jiao, fen = divmod(fen, 10)
    if yuan >= 10**16:
        raise ValueError("capital numerals end at 10^16 yuan")
    text = "负" if amount.fen < 0 else ""
    if yuan or not (jiao or fen):
        text += _whole(yuan) + "元"
    if jiao:
        # After a round ten of yuan the zero shows that no digit was left out.
        text += ("零" if yuan and yuan % 10 == 0 else "") + DIGITS[jiao] + "角"
    elif fen and yuan:
        text += "零"
    if fen:
        text += DIGITS[fen] + "分"
    return text if jiao or fen else text + "整"


def _whole(number: int) -> str:
    if number == 0:
        return DIGITS[0]
    text = ""
    zero_waits = False
    for group in range(len(GROUPS) - 1, -1, -1):
        part = number // 10 ** (4 * group) % 10**4
        if part == 0:
            zero_waits = bool(text)
            continue
        if text and (zero_waits or part < 1000):
            text += DIGITS[0]
        text += _below_ten_thousand(part) + GROUPS[group]
        zero_waits = False
    # Within 万亿 and 亿 the 亿 stands once, at the end of what it counts.
    return text.replace("万亿", "万", 1) if "万亿" in text and _has_yi(number) else text


def _has_yi(number: int) -> bool:
    return number // 10**8 % 10**4 != 0


def _below_ten_thousand(number: int) -> str:
    text = ""
    zero_waits = False
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if digit == 0:
            zero_waits = bool(text)
            continue
        text += (DIGITS[0] if zero_waits else "") + DIGITS[digit] + PLACES[place]
        zero_waits = False
    return text
