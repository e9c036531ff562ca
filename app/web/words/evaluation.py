"""The words of the yearly evaluation, of opinions and of incidents."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l

from app.booking.rules.feedback import Severity
from app.web.words.state import State
from billing.rules.evaluation import EvaluationWord, Grade, Head
from billing.rules.income import IncomeHead

STATES: tuple[tuple[StrEnum | str, State], ...] = (
    (Grade.EXCELLENT, State(_l("优秀"), "green", "circle-check")),
    (Grade.GOOD, State(_l("良好"), "green", "check")),
    (Grade.PASSED, State(_l("合格"), "grey", "check")),
    (Grade.POOR, State(_l("较差"), "red", "alert-triangle")),
    (EvaluationWord.HANDED_IN, State(_l("待确认"), "amber", "clock")),
    (EvaluationWord.CONFIRMED, State(_l("主管部门已确认"), "green", "circle-check")),
    (EvaluationWord.CORRECTED, State(_l("主管部门已更正"), "green", "check")),
    (Severity.MINOR, State(_l("轻微"), "grey", "info-circle")),
    (Severity.SERIOUS, State(_l("一般"), "amber", "alert-triangle")),
    (Severity.MAJOR, State(_l("重大"), "red", "alert-triangle")),
    ("selected", State(_l("入选"), "green", "circle-check")),
    ("not_selected", State(_l("未入选"), "grey", "ban")),
    ("not_concluded", State(_l("尚无结果"), "amber", "clock")),
    ("incident_open", State(_l("处理中"), "amber", "clock")),
    ("incident_closed", State(_l("已结案"), "green", "check")),
)

WORDS: tuple[tuple[StrEnum, Any], ...] = (
    (Head.CAPABILITY, _l("能力")),
    (Head.SERVICE, _l("服务水平")),
    (Head.MANAGEMENT, _l("规范管理")),
    (Head.BENEFIT, _l("综合效益")),
    (Grade.EXCELLENT, _l("优秀")),
    (Grade.GOOD, _l("良好")),
    (Grade.PASSED, _l("合格")),
    (Grade.POOR, _l("较差")),
    (IncomeHead.TECHNICAL_SERVICE, _l("技术服务收入")),
    (IncomeHead.CONVERSION, _l("成果转化收益")),
    (IncomeHead.INCUBATION, _l("孵化企业回报")),
    (Severity.MINOR, _l("轻微")),
    (Severity.SERIOUS, _l("一般")),
    (Severity.MAJOR, _l("重大")),
)
