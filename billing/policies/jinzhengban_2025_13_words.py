"""How the answers to A01–A38 of 晋政办〔2025〕13号 are said to a reader, in Chinese and in English."""

from __future__ import annotations

Said = tuple[str, str]

_COUNTS: dict[str, Said] = {"include": ("计入", "counts"), "exclude": ("不计", "does not count")}
_COUNTED: dict[str, Said] = {"True": ("计入", "counts"), "False": ("不计", "does not count")}
_NET, _GROSS = ("不含税", "without VAT"), ("含税", "with VAT")
_LIFETIME = ("全部期间累计", "over the whole time")
_PROGRAMMES: dict[str, Said] = {
    "P1": ("设备购置补助", "equipment-purchase subsidy"),
    "P2": ("运行补助", "operating subsidy"),
    "P3": ("认定奖励", "recognition award"),
    "P4": ("新增设备设施补助", "new-equipment subsidy"),
    "P5": ("用房补助", "premises support"),
}

WORDS: dict[str, dict[str, Said]] = {
    "A01": {
        "platform": ("按平台", "each platform's"),
        "operator": ("按运营主体", "each operator's"),
        "legal_group": ("按企业集团", "each group of companies'"),
    },
    "A02": {
        "invoice_date": ("按开票日期", "the date of the invoice"),
        "service_date": ("按服务日期", "the date of the service"),
        "cash_date": ("按收款日期", "the date of the payment"),
    },
    "A03": {"net": _NET, "gross": _GROSS},
    "A04": _COUNTS | {"include_up_to_share": ("在一定比例内计入", "counts up to a share")},
    "A05": _COUNTED
    | {
        "review": ("待核", "to be reviewed"),
        "research_transfer": ("技术研发转化", "R&D transfer"),
        "process_improvement": ("性能工艺改进", "process improvement"),
        "scale_up": ("工艺放大熟化", "scale-up"),
        "type_test": ("产品型式试验", "type tests"),
        "performance_test": ("产品性能测试", "performance tests"),
        "small_batch": ("小批量试生产", "small-batch production"),
        "instrument_sharing": ("仪器设备共享", "sharing of instruments"),
        "data_simulation": ("数据模拟", "data simulation"),
        "contract_pilot_processing": ("中试服务代工", "contract pilot processing"),
        "consulting_training": ("咨询培训", "consulting and training"),
        "data_information": ("数据信息服务", "data and information"),
        "tech_promotion": ("技术推广", "promotion of technology"),
        "incubation": ("企业孵化", "incubation"),
        "financing_matchmaking": ("投融资对接", "matching with investors"),
        "tech_transfer_licence": ("技术转让许可", "transfer and licences of technology"),
        "equity_return": ("股权收益", "returns on equity"),
        "real_estate_rent": ("场地租金", "rent of premises"),
        "goods_sale": ("货物销售", "sale of goods"),
        "fiscal_grant": ("财政资金", "fiscal money"),
    },
    "A06": {
        "max(recognition_date, operating_date)": (
            "认定日与实际运行日中较晚的一天",
            "the later of recognition and actual operation",
        ),
        "calendar_year": ("当年 1 月 1 日", "1 January of that year"),
    },
    "A07": {
        "calendar": ("公历年度", "the calendar year"),
        "from_certification": ("自认定之日起满一年", "a year from the recognition"),
        "school_year": ("学年", "the school year"),
    },
    "A08": {
        "first_paid_year": ("首个得到补助的年度", "the first year that is paid"),
        "certification_year": ("认定当年", "the year of recognition"),
        "first_operating_year": ("首个运行年度", "the first year of operation"),
    },
    "A09": {
        "calendar": ("照常按日历计入三年", "it counts as one of the three"),
        "pause": ("跳过，三年顺延", "it is skipped; the three years go on after it"),
        "break": ("三年到此为止", "the three years end with it"),
    },
    "A10": {"deferral_before_filing": ("申报前可以选择推迟", "may be put off before filing")},
    "A11": {
        "explicit_record_required": ("须有择优决定的记录", "a recorded decision"),
        "grade_threshold": ("评价达到一定等次", "a grade of the evaluation"),
        "top_n": ("按名次取前若干名", "the first so many by rank"),
    },
    "A12": {
        "unit": ("单位", "unit"),
        "fen": ("分", "fen"),
        "yuan": ("取整到元", "to the yuan"),
        "mode": ("方式", "way"),
        "half_up": ("四舍五入", "half up"),
        "truncate": ("截去", "cut off"),
        "order": ("顺序", "order"),
        "rate_then_round_then_cap": ("先乘比例，再取舍，后比上限", "rate, then rounding, then the cap"),
        "after_cap": ("比上限之后再取舍", "rounding after the cap"),
    },
    "A13": {"晋江": ("晋江", "Jinjiang"), "泉州": ("泉州", "Quanzhou")},
    "A14": _PROGRAMMES,
    "A15": {
        "by_kind_and_object": ("同类、同对象之间", "the same kind for the same object"),
        "one_highest_per_platform_year": ("平台每年只取最高一项", "only the highest of a platform's year"),
    },
    "A16": {
        "top_up": ("补足差额", "the difference is paid"),
        "exclusive_choice": ("只能择一", "one or the other"),
    },
    "A17": {"lifetime": _LIFETIME, "per_application": ("每次申报", "each application")},
    "A18": {
        "open": ("不限", "any time"),
        "before_certification": ("认定之前购置的", "those before the recognition"),
    },
    "A19": {
        "non_fiscal_portion": ("只计非财政资金部分", "the part that is not fiscal money"),
        "exclude_asset": ("整件不计", "not at all"),
        "majority": ("非财政资金过半的整件计入", "wholly, if most of it is not fiscal money"),
    },
    "A21": {
        "net_if_creditable_else_gross": ("可抵扣的不含税，不可抵扣的含税", "without tax if deductible, else with tax"),
        "gross": ("含税", "with tax"),
    },
    "A22": {"per_year": ("每年", "each year"), "lifetime": _LIFETIME},
    "A23": {
        "acceptance_date": ("验收日期", "the date of acceptance"),
        "payment_date": ("付款日期", "the date of payment"),
    },
    "A24": {"difference": ("补差额", "the difference"), "full": ("另给全额", "the full amount again")},
    "A26": {
        "lock_date": ("锁定日", "day of locking"),
        "set_per_filing": ("每次申报时确定", "set with each filing"),
        "before_lock": ("锁定前", "before locking"),
        "original_year": ("冲减原开票年度", "lowers the year of the invoice"),
        "after_lock": ("锁定后", "after locking"),
        "issue_year": ("冲减红字开具年度", "lowers the year of the credit note"),
        "outside_window": ("三年期满之后", "after the three years"),
        "clawback_proposal": ("提出收回建议", "recovery is proposed"),
    },
    "A27": {
        "zero_no_carry": ("按零计，不结转", "it is zero; nothing is carried"),
        "carry": ("负数结转下年", "it is carried into the next year"),
    },
    "A28": {"from": ("自", "from"), "to": ("至", "to"), "None": ("未写明", "not stated")},
    "A29": _COUNTED,
    "A30": {
        "consumed_only": ("消费时", "when consumed"),
        "on_receipt": ("收到时", "when received"),
    },
    "A31": {
        "exclude_pending_ruling": ("在主管部门答复前不计", "does not count until the authority rules"),
        "include": ("计入", "counts"),
    },
    "A32": {
        "cap_follows_platform": ("上限随平台，不重新起算", "it stays with the platform"),
        "restarts": ("重新起算", "it starts anew"),
    },
    "A33": _COUNTS,
    "A34": _COUNTS | {"include_if_invoiced_as_service": ("按服务开票的计入", "those invoiced as a service count")},
    "A35": _COUNTS | {"net_margin": ("只计差额", "only the margin counts")},
    "A36": _PROGRAMMES
    | {
        "builder_entity": ("建设单位", "who built it"),
        "operator_entity": ("运营主体", "the operator"),
        "host_entity": ("依托单位", "the host"),
    },
    "A37": {
        "all_report_share": ("全部计入，另报本地比例", "all counts; the local share is reported"),
        "local_only": ("只计本地", "only local customers count"),
    },
    "A38": {
        "provincial": ("省级认定部门", "recognised at province level by"),
        "省科技厅、省工信厅": ("省科技厅、省工信厅", "the province's departments of science and of industry"),
        "counts": ("算", "counts"),
        "认定": ("认定", "recognition"),
        "does_not_count": ("不算", "does not count"),
        "培育、需求清单、意向清单": ("培育、需求清单、意向清单", "cultivation, lists of needs, lists of intentions"),
    },
}
"""By the question's number, then by the stored word: an answer, or the name of a part of it."""
