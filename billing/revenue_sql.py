"""Revenue entries under any reading of A02–A06 as SQL: the same figures as ``rules/revenue.py``, without the documents.

Each part gives rows (line_id, category, relation, region, organization_id, on_day, origin_day, amount, with_tax),
amounts in fen. Parameters: ``platform``, ``net`` (A03) and what the exclusions ask.
"""

from __future__ import annotations

LINES = """
    line AS (
        SELECT entry.invoice_line_id AS line_id, invoice.id AS invoice_id, invoice.credits_id, entry.category,
               entry.relation, entry.region, invoice.organization_id, entry.served_on, entry.invoiced_on,
               entry.net_fen + entry.tax_fen AS with_tax,
               CASE WHEN :net THEN entry.net_fen ELSE entry.net_fen + entry.tax_fen END AS amount,
               CASE
                   WHEN entry.relation = 'own_use' THEN 'own_use'
                   WHEN entry.relation = 'related_party' AND NOT :related THEN 'related_party'
                   WHEN entry.category = ANY(CAST(:under_review AS varchar[])) THEN 'category_under_review'
                   WHEN entry.category <> ALL(CAST(:categories AS varchar[])) THEN 'category'
                   WHEN entry.no_show_fee AND NOT :no_show_fees THEN 'no_show_fee'
               END AS excluded
        FROM revenue_entry AS entry
        JOIN invoice_line ON invoice_line.id = entry.invoice_line_id
        JOIN invoice ON invoice.id = invoice_line.invoice_id
        WHERE entry.platform_id = :platform {only}
    )
"""
ONLY_INVOICED = "AND entry.invoiced_on >= :since AND entry.invoiced_on < :until"

BY_DOCUMENT = """
    entry AS (
        SELECT line.*,
               CASE WHEN :by_service AND line.credits_id IS NULL THEN line.served_on
                    ELSE line.invoiced_on END AS on_day,
               CASE WHEN line.credits_id IS NULL THEN NULL WHEN :by_service THEN line.served_on
                    ELSE original.issued_on END AS origin_day
        FROM line LEFT JOIN invoice AS original ON original.id = line.credits_id
    )
"""

# Of a document ``received ÷ whole`` counts. Running totals are rounded, over lines and over payments, never a part:
# so a document that is paid in full counts in full. ``div`` rounds half away from zero exactly.
BY_CASH = """
    document AS (
        SELECT line.invoice_id, line.credits_id, min(line.invoiced_on) AS issued_on, sum(line.with_tax) AS gross,
               (SELECT sum(amount_fen) FROM payment WHERE payment.invoice_id = line.invoice_id) AS paid
        FROM line GROUP BY line.invoice_id, line.credits_id
    ),
    note AS (
        SELECT document.*, row_number() OVER (
                   PARTITION BY document.credits_id ORDER BY document.issued_on, invoice.year, invoice.number
               ) AS place
        FROM document JOIN invoice ON invoice.id = document.invoice_id WHERE document.credits_id IS NOT NULL
    ),
    given_back AS (
        SELECT invoice_id AS credits_id, CAST(NULL AS int) AS note_id, CAST(0 AS bigint) AS place, gross AS due,
               least(gross, coalesce(paid, 0)) AS held, CAST(0 AS numeric) AS back
        FROM document WHERE credits_id IS NULL
        UNION ALL
        SELECT note.credits_id, note.invoice_id, note.place, before.due + note.gross,
               before.held - own.back, own.back
        FROM given_back AS before
        JOIN note ON note.credits_id = before.credits_id AND note.place = before.place + 1,
        LATERAL (SELECT coalesce(note.paid, greatest(0, before.held - before.due - note.gross)) AS back) AS own
    ),
    money AS (
        SELECT payment.invoice_id, payment.paid_on, payment.id AS place,
               sum(payment.amount_fen) OVER (PARTITION BY payment.invoice_id ORDER BY payment.paid_on, payment.id)
                   AS received
        FROM payment JOIN document ON document.invoice_id = payment.invoice_id
        UNION ALL
        SELECT note.invoice_id, note.issued_on, 0, given_back.back
        FROM note JOIN given_back ON given_back.note_id = note.invoice_id
        WHERE note.paid IS NULL AND given_back.back > 0
    ),
    received AS (
        SELECT money.invoice_id, money.paid_on, document.credits_id, abs(document.gross) AS whole,
               greatest(0, least(abs(document.gross), money.received)) AS now,
               greatest(0, least(abs(document.gross), lag(money.received, 1, CAST(0 AS numeric)) OVER (
                   PARTITION BY money.invoice_id ORDER BY money.paid_on, money.place
               ))) AS before
        FROM money JOIN document ON document.invoice_id = money.invoice_id
    ),
    summed AS (
        SELECT line.*, part.amount AS own, part.kind,
               sum(part.amount) OVER (PARTITION BY line.invoice_id, part.kind ORDER BY line.line_id) AS running
        FROM line,
        LATERAL (VALUES ('counted', CASE WHEN line.excluded IS NULL THEN line.amount ELSE 0 END),
                        ('other', CASE WHEN line.excluded IS NULL THEN 0 ELSE line.amount END),
                        ('with_tax', line.with_tax)) AS part (kind, amount)
    ),
    entry AS (
        SELECT summed.line_id, summed.invoice_id, summed.credits_id, summed.category, summed.relation, summed.region,
               summed.organization_id, summed.served_on, summed.invoiced_on, summed.excluded,
               received.paid_on AS on_day,
               CASE WHEN received.credits_id IS NOT NULL THEN coalesce(
                   (SELECT max(paid_on) FROM payment WHERE payment.invoice_id = received.credits_id),
                   (SELECT issued_on FROM invoice WHERE invoice.id = received.credits_id)
               ) END AS origin_day,
               sum(part.amount) FILTER (WHERE summed.kind <> 'with_tax') AS amount,
               sum(part.amount) FILTER (WHERE summed.kind = 'with_tax') AS with_tax
        FROM summed
        JOIN received ON received.invoice_id = summed.invoice_id AND received.whole > 0
            AND received.now <> received.before,
        LATERAL (
            SELECT sum(edge.way * flow.way * sign(edge.total)
                       * div(2 * abs(edge.total) * flow.money + received.whole, 2 * received.whole)) AS amount
            FROM (VALUES (summed.running, 1), (summed.running - summed.own, -1)) AS edge (total, way),
                 (VALUES (received.now, 1), (received.before, -1)) AS flow (money, way)
        ) AS part
        GROUP BY summed.line_id, summed.invoice_id, summed.credits_id, summed.category, summed.relation,
                 summed.region, summed.organization_id, summed.served_on, summed.invoiced_on, summed.excluded,
                 received.paid_on, received.credits_id, received.now
    )
"""

JUDGED = """
    judged AS (
        SELECT entry.line_id, entry.category, entry.relation, entry.region, entry.organization_id, entry.on_day,
               entry.amount, entry.with_tax,
               coalesce(entry.excluded, CASE
                   WHEN CAST(:start AS date) IS NULL THEN 'not_operating'
                   WHEN coalesce(entry.origin_day, entry.on_day) < :start THEN 'before_start'
               END) AS excluded
        FROM entry WHERE entry.on_day >= :since AND entry.on_day < :until
    )
"""
