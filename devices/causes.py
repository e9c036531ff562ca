"""What is not as it should be about the meters just now, found with a fixed number of statements.

Each cause is one row of the temporary table ``alert_cause``. ``mark`` names the occurrence, so that the same one
is known again; ``lasting`` causes are there until something is done, of the others ``times`` is how many came since
the last alert; it is NULL where every newer ``seen_at`` is one time more. Everything follows from the data and ``:at``.

Work: of each active meter its newest ``NEWEST`` readings by one index lookup; open gaps and commands by their
partial indexes; at most ``MOST_LETTERS`` messages of the last day; the sessions that ended in the last month and
disputes behind the last one known. Late changes and alerts themselves are read whole: both stay few.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from devices.refusals import CONNECT, BrokerRefusal
from devices.rules.evidence import DOUBTFUL, Flag

NEWEST = 60
"""So many readings tell how often a meter speaks and how far its clock is away; about twenty messages or more."""
FIRST_WORD = timedelta(hours=1)
"""A new meter is given so long to speak at all."""
UNSTEADY = timedelta(seconds=60)
YOUNG_GAP = timedelta(minutes=1)
UNHEARD = timedelta(minutes=2)
MANY_TRIES = 3
LOOKED_BACK = timedelta(days=1)
SESSIONS_BACK = timedelta(days=31)
MOST_LETTERS, MOST_DISPUTES, MOST_STRAY = 20_000, 2_000, 200
OVERLAP = 1_000
"""Disputes of different meters may be committed in another order than they are numbered in."""
FORGED = ("bad_signature", "unknown_key", "key_not_valid", "unsigned")

TABLE = text(
    """
    CREATE TEMPORARY TABLE IF NOT EXISTS alert_cause (
        meter_id integer, kind text NOT NULL, key text NOT NULL, mark text NOT NULL, lasting boolean NOT NULL,
        facts jsonb NOT NULL, times integer, seen_at timestamptz NOT NULL
    ) ON COMMIT DELETE ROWS
    """
)
CLEARED = text("DELETE FROM alert_cause")
PRIOR = """
    SELECT * FROM meter_alert
    WHERE (meter_alert.meter_id = cause.meter_id OR (meter_alert.meter_id IS NULL AND cause.meter_id IS NULL))
      AND meter_alert.kind = cause.kind AND meter_alert.key = cause.key
    ORDER BY meter_alert.id DESC LIMIT 1
"""
"""The last alert about the same thing."""

# Silence: longer than three times the usual pause between messages (the median of the newest), and than the
# profile's max_gap. The clock: the median over the newest messages of how late their newest reading was heard.
HEARD = text(
    """
    WITH heard AS MATERIALIZED (
        SELECT meter.id, meter.created_at, newest.heard_at, newest.lag_s,
               greatest(3 * newest.usual_s, profile.max_gap_s, 60) * interval '1 second' AS patience
        FROM meter
        LEFT JOIN LATERAL (
            SELECT max_gap_s FROM meter_profile WHERE meter_id = meter.id AND valid_from <= :at
            ORDER BY valid_from DESC, version DESC LIMIT 1
        ) AS profile ON true
        CROSS JOIN LATERAL (
            SELECT max(received_at) AS heard_at, percentile_cont(0.5) WITHIN GROUP (ORDER BY pause_s) AS usual_s,
                   percentile_cont(0.5) WITHIN GROUP (ORDER BY lag_s) FILTER (WHERE NOT backfill) AS lag_s
            FROM (
                SELECT received_at, bool_or(backfill) AS backfill,
                       CAST(min(extract(epoch FROM received_at - taken_at)) AS float) AS lag_s,
                       CAST(extract(epoch FROM received_at - lag(received_at) OVER (ORDER BY received_at)) AS float)
                           AS pause_s
                FROM (
                    SELECT received_at, taken_at, backfill FROM reading
                    WHERE meter_id = meter.id ORDER BY taken_at DESC LIMIT :newest
                ) AS reading
                GROUP BY received_at
            ) AS message
        ) AS newest
        WHERE meter.active
    )
    INSERT INTO alert_cause
    SELECT id, 'silent', '', coalesce(CAST(extract(epoch FROM heard_at) AS text), 'never'), true,
           jsonb_build_object('heard_at', heard_at, 'created_at', created_at,
                              'patience_s', CAST(extract(epoch FROM patience) AS integer)),
           1, coalesce(heard_at + patience, created_at + :first_word)
    FROM heard WHERE coalesce(heard_at + patience, created_at + :first_word) < :at
    UNION ALL
    SELECT id, 'clock_drift', '', CASE WHEN lag_s > 0 THEN 'behind' ELSE 'ahead' END, true,
           jsonb_build_object('drift_s', CAST(round(lag_s) AS bigint)), NULL, heard_at
    FROM heard WHERE abs(lag_s) > extract(epoch FROM CAST(:unsteady AS interval))
    """
)
GAPS = text(
    """
    INSERT INTO alert_cause
    SELECT gap.meter_id, 'gap', CAST(gap.boot AS text), CAST(max(gap.id) AS text), true,
           jsonb_build_object('boot', gap.boot, 'first', min(gap.first), 'last', max(gap.last), 'gaps', count(*),
                              'missing', sum(gap.last - gap.first + 1), 'asked', max(gap.times_asked),
                              'asked_at', max(gap.asked_at)),
           greatest(1, max(gap.times_asked)), max(gap.found_at)
    FROM sequence_gap AS gap JOIN meter ON meter.id = gap.meter_id
    WHERE gap.closed_at IS NULL AND gap.found_at < :at - CAST(:young AS interval) AND meter.active
    GROUP BY gap.meter_id, gap.boot
    """
)
LETTERS = text(
    f"""
    WITH letter AS MATERIALIZED (
        SELECT id, meter_id, reason, detail, topic, received_at,
               CASE WHEN reason = ANY(:forged) THEN 'forged' WHEN reason = 'clock_ahead' THEN 'clock_drift'
                    ELSE 'unreadable' END AS kind,
               left(CASE WHEN meter_id IS NOT NULL THEN reason
                         WHEN topic LIKE 'm/%' THEN split_part(topic, '/', 3)
                         WHEN topic LIKE 'spBv1.0/%' THEN split_part(topic, '/', 4) ELSE topic END, 200) AS key
        FROM (
            SELECT * FROM dead_letter WHERE received_at > :at - CAST(:back AS interval) AND received_at <= :at
            ORDER BY received_at DESC LIMIT :most
        ) AS dead_letter
    ), cause AS (
        SELECT meter_id, kind, key, max(id) AS last_id, max(received_at) AS seen_at FROM letter
        GROUP BY meter_id, kind, key
    ), known AS (
        SELECT cause.*, prior.state, CAST(prior.facts ->> 'mark' AS bigint) AS mark
        FROM cause LEFT JOIN LATERAL ({PRIOR}) AS prior ON true
    )
    INSERT INTO alert_cause
    SELECT known.meter_id, known.kind, known.key, CAST(known.last_id AS text), false,
           jsonb_build_object('reason', last.reason, 'detail', last.detail, 'topic', left(last.topic, 200)),
           CAST(count(*) FILTER (WHERE letter.id > coalesce(known.mark, 0)) AS integer), known.seen_at
    FROM known
    JOIN letter AS last ON last.id = known.last_id
    JOIN letter ON letter.kind = known.kind AND letter.key = known.key
               AND letter.meter_id IS NOT DISTINCT FROM known.meter_id
    WHERE known.meter_id IS NOT NULL OR known.state = 'open'
       OR (SELECT count(*) FROM meter_alert WHERE state = 'open' AND meter_id IS NULL) < :most_stray
    GROUP BY known.meter_id, known.kind, known.key, known.last_id, known.seen_at,
             last.reason, last.detail, last.topic
    """  # noqa: S608 - a constant
)
DISPUTES = text(
    f"""
    WITH disputed AS MATERIALIZED (
        SELECT id, meter_id, boot, seq, received_at FROM disputed_reading
        WHERE id > (
            SELECT coalesce(max(CAST(facts ->> 'mark' AS bigint)), 0) - :overlap FROM meter_alert
            WHERE kind = 'dispute'
        ) ORDER BY id LIMIT :most
    ), cause AS (
        SELECT meter_id, 'dispute' AS kind, CAST(boot AS text) AS key FROM disputed GROUP BY meter_id, boot
    )
    INSERT INTO alert_cause
    SELECT cause.meter_id, cause.kind, cause.key, CAST(max(disputed.id) AS text), false,
           jsonb_build_object('boot', disputed.boot, 'seq', max(disputed.seq), 'first_id', min(disputed.id)),
           CAST(count(*) AS integer), max(disputed.received_at)
    FROM cause
    LEFT JOIN LATERAL ({PRIOR}) AS prior ON true
    JOIN disputed ON disputed.meter_id = cause.meter_id AND CAST(disputed.boot AS text) = cause.key
                 AND disputed.id > coalesce(CAST(prior.facts ->> 'mark' AS bigint), 0)
    GROUP BY cause.meter_id, cause.kind, cause.key, disputed.boot
    """  # noqa: S608 - a constant
)
SESSIONS = text(
    """
    WITH looked AS (
        SELECT id FROM usage_session
        WHERE NOT open AND ended_at > :at - CAST(:back AS interval) AND reviewed_at IS NULL
          AND (energy_estimated OR evidence <> 'metered' OR flags <> '[]')
        UNION
        SELECT CAST(key AS bigint) FROM meter_alert
        WHERE state = 'open' AND kind IN ('counter', 'doubtful_session')
    )
    INSERT INTO alert_cause
    SELECT one.meter_id, doubt.kind, CAST(one.id AS text), one.fingerprint, true,
           jsonb_build_object('session_id', one.id, 'started_at', one.started_at, 'ended_at', one.ended_at,
                              'flags', one.flags, 'evidence', one.evidence), 1, one.ended_at
    FROM looked
    JOIN usage_session AS one ON one.id = looked.id
    CROSS JOIN LATERAL (
        VALUES ('counter', one.energy_estimated),
               ('doubtful_session', one.evidence <> 'metered' OR one.flags ?| CAST(:doubtful AS text[]))
    ) AS doubt (kind, there)
    WHERE doubt.there AND one.meter_id IS NOT NULL AND NOT one.open
      AND one.reviewed_at IS NULL AND one.frozen_at IS NULL
    """
)
LATE = text(
    """
    INSERT INTO alert_cause
    SELECT meter_id, 'late_change', CAST(id AS text), '', true,
           jsonb_build_object('session_id', usage_session_id, 'cause', cause), 1, noted_at
    FROM late_change WHERE resolved_at IS NULL
    """
)
COMMANDS = text(
    """
    INSERT INTO alert_cause
    SELECT meter_id, 'unconfirmed_command', CAST(id AS text), '', true,
           jsonb_build_object('on', "on", 'tries', tries, 'asked_at', asked_at), greatest(1, tries), asked_at
    FROM power_command
    WHERE confirmed_at IS NULL AND ended_at IS NULL
      AND (tries >= :many OR asked_at < :at - CAST(:unheard AS interval))
    """
)
# A refusal is counted once: what is no newer than the last one known was read from the log before.
REFUSALS = text(
    f"""
    WITH told AS (
        SELECT meter.id AS meter_id, said.at, said.client, said.username, said.what,
               left('broker ' || CASE WHEN said.what = :connect THEN 'connect' ELSE 'topic' END
                    || CASE WHEN meter.id IS NULL THEN ' ' || coalesce(nullif(said.username, ''), said.client)
                            ELSE '' END, 200) AS key
        FROM unnest(CAST(:ats AS timestamptz[]), CAST(:clients AS text[]), CAST(:usernames AS text[]),
                    CAST(:whats AS text[])) AS said (at, client, username, what)
        LEFT JOIN meter ON lower(meter.code) = lower(coalesce(nullif(said.username, ''), said.client))
        WHERE said.at > :at - CAST(:back AS interval)
    ), cause AS (
        SELECT meter_id, 'forged' AS kind, key FROM told GROUP BY meter_id, key
    )
    INSERT INTO alert_cause
    SELECT cause.meter_id, cause.kind, cause.key, CAST(CAST(extract(epoch FROM max(told.at)) AS bigint) AS text), false,
           jsonb_build_object('reason', 'broker', 'client', left(max(told.client), 200),
                              'topic', left(max(told.what), 200)),
           CAST(count(*) AS integer), max(told.at)
    FROM cause
    LEFT JOIN LATERAL ({PRIOR}) AS prior ON true
    JOIN told ON told.meter_id IS NOT DISTINCT FROM cause.meter_id AND told.key = cause.key
             AND told.at > coalesce(prior.seen_at, '-infinity')
    WHERE cause.meter_id IS NOT NULL OR prior.state = 'open'
       OR (SELECT count(*) FROM meter_alert WHERE state = 'open' AND meter_id IS NULL) < :most_stray
    GROUP BY cause.meter_id, cause.kind, cause.key
    """  # noqa: S608 - a constant
)


def find_causes(session: Session, refusals: Sequence[BrokerRefusal], *, at: datetime) -> None:
    """Fill ``alert_cause`` with what there is to say at this moment."""
    session.execute(TABLE)
    session.execute(CLEARED)
    session.execute(HEARD, {"at": at, "first_word": FIRST_WORD, "unsteady": UNSTEADY, "newest": NEWEST})
    session.execute(GAPS, {"at": at, "young": YOUNG_GAP})
    stray = {"most_stray": MOST_STRAY}
    session.execute(LETTERS, {"at": at, "back": LOOKED_BACK, "forged": list(FORGED), "most": MOST_LETTERS, **stray})
    session.execute(DISPUTES, {"overlap": OVERLAP, "most": MOST_DISPUTES})
    doubtful = sorted(flag.value for flag in DOUBTFUL - {Flag.ENERGY_ESTIMATED})
    session.execute(SESSIONS, {"at": at, "back": SESSIONS_BACK, "doubtful": doubtful})
    session.execute(LATE)
    session.execute(COMMANDS, {"at": at, "unheard": UNHEARD, "many": MANY_TRIES})
    if refusals:
        session.execute(
            REFUSALS,
            {
                "at": at,
                "back": LOOKED_BACK,
                "connect": CONNECT,
                "ats": [one.at for one in refusals],
                "clients": [one.client for one in refusals],
                "usernames": [one.username for one in refusals],
                "whats": [one.what for one in refusals],
                **stray,
            },
        )
