"""The open questions A01–A38 of 晋政办〔2025〕13号: how we read it, how else it could be read, and why.

Every default is an interpretation that an official may overrule. What the text leaves open and no
option answers yet is listed all the same, so that nobody takes our reading for the text's.
"""

from __future__ import annotations

from typing import Any

from billing.policies.jinzhengban_2025_13_words import WORDS
from billing.rules.policy import Setting
from billing.rules.words import RevenueCategory as C

_SERVICES = (
    C.RESEARCH_TRANSFER,
    C.PROCESS_IMPROVEMENT,
    C.SCALE_UP,
    C.TYPE_TEST,
    C.PERFORMANCE_TEST,
    C.SMALL_BATCH,
    C.INSTRUMENT_SHARING,
    C.DATA_SIMULATION,
    C.CONTRACT_PILOT_PROCESSING,
)
_UNDER_REVIEW = (C.CONSULTING_TRAINING, C.DATA_INFORMATION, C.TECH_PROMOTION)


def _category(category: C) -> bool | str:
    return "review" if category in _UNDER_REVIEW else category in _SERVICES


def _s(key: str, default: Any, question: tuple[str, str], why: tuple[str, str], **more: Any) -> Setting:
    return Setting(key, default, *question, *why, words=WORDS.get(key[:3], {}), **more)


SETTINGS: tuple[Setting, ...] = (
    _s(
        "A01_op_cap_unit",
        "platform",
        ("三百万元上限按谁计算？", "Whose is the cap of three million?"),
        ("补助基数是平台的收入，运营主体可以更换", "The base is the platform's revenue; its operator may change"),
        other_readings=("operator", "legal_group"),
    ),
    _s(
        "A02_revenue_basis",
        "invoice_date",
        ("收入归入哪个年度？", "Which date gives the revenue year?"),
        ("与增值税账一致，便于审计", "Agrees with the VAT ledger and is easy to audit"),
        options=("invoice_date", "service_date", "cash_date"),
    ),
    _s(
        "A03_revenue_tax",
        "net",
        ("收入是否含增值税？", "Is revenue with or without VAT?"),
        ("会计收入不含销项税", "Accounting revenue leaves output VAT out"),
        options=("net", "gross"),
    ),
    _s(
        "A04_related_party",
        "exclude",
        ("关联方收入是否计入？", "Does revenue from related parties count?"),
        ("避免内部交易抬高基数；自用始终不计", "Dealings inside a group could inflate the base; own use never counts"),
        options=("exclude", "include"),
        other_readings=("include_up_to_share",),
    ),
    _s(
        "A05_revenue_categories",
        {category.value: _category(category) for category in C},
        ("哪些收入属于服务性收入？", "Which income is service revenue?"),
        (
            "五(三)列出的服务计入；五(七)另列的转化、孵化收益不计",
            "五(三) lists the services; 五(七) sets other gains apart",
        ),
        options={category.value: (True, False, "review") for category in C},
    ),
    _s(
        "A06_revenue_from",
        "max(recognition_date, operating_date)",
        ("首年收入从哪天起计？", "From which day does first-year revenue count?"),
        ("认定和实际运行都具备之后才符合条件", "Only from then on are both conditions met"),
        options=("max(recognition_date, operating_date)", "calendar_year"),
    ),
    _s(
        "A07_year",
        "calendar",
        ("“年度”指什么？", "What is a year?"),
        ("与会计年度一致", "It is the accounting year"),
        other_readings=("from_certification", "school_year"),
    ),
    _s(
        "A08_window_start",
        "first_paid_year",
        ("连续三年从哪年起算？", "With which year do the three years begin?"),
        ("没有补助的年度谈不上连续", "A year without a grant cannot be the first of a row"),
        options=("first_paid_year", "certification_year"),
        other_readings=("first_operating_year",),
    ),
    _s(
        "A09_window_gap",
        "calendar",
        ("中间有一年没有补助怎么办？", "What does a year without a grant in between do?"),
        ("“连续”按日历理解", "'Consecutive' is read by the calendar"),
        options=("calendar", "pause", "break"),
    ),
    _s(
        "A10_partial_first_year_counts",
        True,
        ("不满一年的首年是否算第一年？", "Is a partial first year year one?"),
        ("得到补助即起算", "It is paid, so it counts"),
        other_readings=("deferral_before_filing",),
    ),
    _s(
        "A11_selection",
        "explicit_record_required",
        ("怎样算“择优”？", "What proves selection?"),
        ("择优是一项决定，须有文号可查", "Selection is a decision and needs a document"),
        other_readings=("grade_threshold", "top_n"),
    ),
    _s(
        "A12_rounding",
        {"unit": "fen", "mode": "half_up", "order": "rate_then_round_then_cap"},
        ("补助额怎样取到分？", "How is the amount brought to the fen?"),
        ("年度合计后一次四舍五入，再比上限", "Once, on the annual sum, before the cap"),
        options={"mode": ("half_up", "truncate")},
        other_readings=("yuan", "after_cap"),
    ),
    _s(
        "A13_odd_fen_to",
        "晋江",
        ("一比一分摊的单数分由谁承担？", "Who bears the odd fen of the split?"),
        ("由本级承担，不加重上级", "The city that grants it, not the one above"),
        options=("晋江", "泉州"),
    ),
    _s(
        "A14_split_scope",
        ("P1", "P2"),
        ("一比一分摊包括哪些补助？", "Which programmes are split?"),
        ("“前述”只指此前两项", "'The aforesaid' can only be the two named before it"),
        options=("P1", "P2", "P3", "P4", "P5"),
    ),
    _s(
        "A15_no_dup_scope",
        "by_kind_and_object",
        ("“就高不重复”比较的范围？", "What excludes what under no duplication?"),
        ("只有同类同对象才是重复", "Only the same kind for the same object is a duplicate"),
        options=("by_kind_and_object", "one_highest_per_platform_year"),
    ),
    _s(
        "A16_no_dup_method",
        "top_up",
        ("上级已补助时怎样就高？", "How is the higher amount reached?"),
        ("补足差额即为就高", "Paying the difference reaches the higher amount"),
        other_readings=("exclusive_choice",),
    ),
    _s(
        "A17_p1_cap_period",
        "lifetime",
        ("设备购置五百万元上限的期间？", "Over what time does the P1 cap run?"),
        ("该句没有“年度”", "The sentence names no year"),
        options=("lifetime", "per_application"),
    ),
    _s(
        "A18_p1_purchase_window",
        "open",
        ("何时购置的设备可以申报？", "Purchases of which time can be claimed?"),
        ("文件没有限定时间", "The text sets no time"),
        options=("open", "before_certification"),
    ),
    _s(
        "A19_mixed_funding",
        "non_fiscal_portion",
        ("部分用财政资金购置的设备怎样计？", "How does an asset with part fiscal money count?"),
        ("基数是非财政资金，不是设备", "The base is the money, not the asset"),
        options=("non_fiscal_portion", "exclude_asset", "majority"),
    ),
    _s(
        "A20_ex_post_grant_is_fiscal_funding",
        False,
        ("上级后补助是否视同财政资金购置？", "Is an ex-post grant fiscal funding of the purchase?"),
        ("付款时用的是自有资金", "The purchase itself was paid with own money"),
        options=(False, True),
    ),
    _s(
        "A21_equipment_cost_tax",
        "net_if_creditable_else_gross",
        ("设备费用是否含税？", "Is the cost of equipment with tax?"),
        ("可抵扣的税不是成本", "Tax that is deducted is no cost"),
        options=("net_if_creditable_else_gross", "gross"),
    ),
    _s(
        "A22_p4_cap_period",
        "per_year",
        ("新增设备补助上限的期间？", "Over what time does the P4 cap run?"),
        ("该句写明“当年度”", "The sentence speaks of the year"),
        options=("per_year", "lifetime"),
    ),
    _s(
        "A23_p4_in_year_test",
        "acceptance_date",
        ("以哪个日期认定当年新增？", "Which date makes an asset new in a year?"),
        ("验收后才形成能力", "Only accepted equipment can work"),
        options=("acceptance_date", "payment_date"),
    ),
    _s(
        "A24_award_upgrade",
        "difference",
        ("先省级后国家级怎样奖励？", "What is awarded when the level rises?"),
        ("就高不重复", "The higher, not both"),
        options=("difference", "full"),
    ),
    _s(
        "A25_innovation_centre_stacks",
        False,
        ("创新中心条款是否另行叠加？", "Does the innovation-centre sentence add to the others?"),
        ("该句重述前文", "It restates what stands before"),
    ),
    _s(
        "A26_credit_note",
        {
            "lock_date": "set_per_filing",
            "before_lock": "original_year",
            "after_lock": "issue_year",
            "outside_window": "clawback_proposal",
        },
        ("跨年红字发票冲减哪一年？", "Which year does a later credit note lower?"),
        ("未锁定的可以改正，锁定的不再变动", "What is open can be put right; what is locked stays"),
        options={"before_lock": ("original_year", "issue_year"), "after_lock": ("issue_year", "original_year")},
    ),
    _s(
        "A27_negative_year",
        "zero_no_carry",
        ("年度收入为负怎么办？", "What if a year is below zero?"),
        ("各年度分别计算，并提示核查", "Each year stands alone; a person should look"),
        options=("zero_no_carry", "carry"),
    ),
    _s(
        "A28_effective",
        {"from": "2025-11-29", "to": None},
        ("政策何时有效？", "When is the policy in force?"),
        ("自印发之日起，未写明截止", "From its date; no end is stated"),
    ),
    _s(
        "A29_no_show_fee_in_revenue",
        False,
        ("爽约费是否计入？", "Do no-show fees count?"),
        ("没有提供服务", "No service was given"),
        options=(False, True),
    ),
    _s(
        "A30_deposit",
        "consumed_only",
        ("预存款何时成为收入？", "When do prepayments become revenue?"),
        ("消费之前是负债", "Until consumed they are a liability"),
        other_readings=("on_receipt",),
    ),
    _s(
        "A31_government_purchase",
        "exclude_pending_ruling",
        ("政府购买服务是否计入？", "Do services bought by government count?"),
        (
            "财政资金不宜再补财政资金；以财政资金类别记账",
            "Fiscal money should not subsidise itself; booked as fiscal grant",
        ),
        other_readings=("include",),
    ),
    _s(
        "A32_operator_change",
        "cap_follows_platform",
        ("更换运营主体后上限怎样算？", "What happens to the cap when the operator changes?"),
        ("上限属于平台", "The cap is the platform's"),
        options=("cap_follows_platform", "restarts"),
    ),
    _s(
        "A33_voucher_paid_part",
        "include",
        ("创新券支付的部分是否计入？", "Does the part paid by voucher count?"),
        ("创新券补的是购买方", "A voucher supports the buyer"),
        other_readings=("exclude",),
    ),
    _s(
        "A34_materials",
        "include_if_invoiced_as_service",
        ("材料费是否计入？", "Do consumables count?"),
        ("按服务开票的属于服务", "Invoiced as a service, they are part of it"),
        other_readings=("exclude",),
    ),
    _s(
        "A35_subcontracted",
        "exclude",
        ("分包完成的服务是否计入？", "Does subcontracted work count?"),
        ("不是平台自己的服务", "It is not the platform's own service"),
        options=("exclude", "include"),
        other_readings=("net_margin",),
    ),
    _s(
        "A36_payee",
        {"P1": "builder_entity", "P2": "operator_entity", "P3": "host_entity", "P4": "builder_entity"},
        ("各项补助拨付给谁？", "Who receives each grant?"),
        ("运行补助写明给运营主体，其余按出资和依托关系", "P2 is stated; the others follow who paid or hosts"),
    ),
    _s(
        "A37_customer_region",
        "all_report_share",
        ("外地客户的收入是否计入？", "Do customers from elsewhere count?"),
        ("文件没有限定，另报本地比例", "The text sets no limit; the local share is reported"),
        other_readings=("local_only",),
    ),
    _s(
        "A38_recognition_registries",
        {"provincial": "省科技厅、省工信厅", "counts": "认定", "does_not_count": "培育、需求清单、意向清单"},
        ("哪些名单算省级认定？", "Which lists make a platform provincial?"),
        ("只有认定是认定", "Only a recognition is a recognition"),
    ),
)
