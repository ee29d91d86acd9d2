"""The statements on limit_counter. Each locks its rows in the order of the key: processes that meet wait, no deadlock.

The table is not logged and each statement is a transaction by itself: nothing of it waits for the disk.
"""

LEASE_SHARE = 8
"""A lease is this part of what is left ..."""
LEASE_MOST = 100
"""... and never more than this, unless one event needs it."""

_GRANT = f"""
greatest(0, least(excluded.ceiling - {{base}},
                  greatest(excluded.wanted, least((excluded.ceiling - {{base}}) / {LEASE_SHARE}, {LEASE_MOST}))))
"""
# A window that nobody has used anything of has not begun.
_OVER = "(c.used <= 0 OR c.started_at + make_interval(secs => c.window_seconds) <= now())"
_FRESH, _MORE = _GRANT.format(base=0), _GRANT.format(base="c.used")

TAKE = f"""
INSERT INTO limit_counter AS c (event, key, window_seconds, used, ceiling, wanted, granted)
SELECT event, key, seconds, g, ceiling, wanted, g
  FROM (SELECT *, least(ceiling, greatest(wanted, least(ceiling / {LEASE_SHARE}, {LEASE_MOST}))) AS g
          FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[])
               AS a(event, key, seconds, ceiling, wanted)) AS asked
 ORDER BY event, key, seconds
ON CONFLICT (event, key, window_seconds) DO UPDATE SET
    granted = CASE WHEN {_OVER} THEN {_FRESH} ELSE {_MORE} END,
    used = CASE WHEN {_OVER} THEN {_FRESH} ELSE c.used + {_MORE} END,
    started_at = CASE WHEN {_OVER} THEN now() ELSE c.started_at END,
    ceiling = excluded.ceiling, wanted = excluded.wanted
RETURNING event, key, window_seconds, granted, used, started_at,
          extract(epoch FROM started_at - now())::float8 + window_seconds AS seconds_left
"""  # noqa: S608 - of constants

GIVE_BACK = """
WITH unused AS MATERIALIZED (
    SELECT c.event, c.key, c.window_seconds, u.events
      FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::timestamptz[])
           AS u(event, key, seconds, events, started_at)
      JOIN limit_counter AS c ON c.event = u.event AND c.key = u.key AND c.window_seconds = u.seconds
                             AND c.started_at = u.started_at
     ORDER BY c.event, c.key, c.window_seconds
       FOR UPDATE OF c
)
UPDATE limit_counter AS c SET used = greatest(0, c.used - unused.events)
  FROM unused
 WHERE c.event = unused.event AND c.key = unused.key AND c.window_seconds = unused.window_seconds
"""

# GCRA: started_at is the theoretical arrival time (TAT). A request is in order while the TAT is not further ahead than
# `ceiling` requests take; each puts it one request's time (window / count) further. Of those that wait as many as fit.
_STEP = "(extract(epoch FROM excluded.started_at - now()) / excluded.wanted)"
_AHEAD = "greatest(0, extract(epoch FROM c.started_at - now()))"
_FITTING = f"least(excluded.wanted, floor((excluded.ceiling * {_STEP} - {_AHEAD}) / {_STEP} + 1.000001))"
_GRANTED = f"greatest(0, {_FITTING})::bigint"

BUCKET = f"""
INSERT INTO limit_counter AS c (event, key, window_seconds, used, ceiling, wanted, granted, started_at)
SELECT event, key, seconds, 1, burst, least(wanted, burst + 1), least(wanted, burst + 1),
       now() + make_interval(secs => least(wanted, burst + 1) * step)
  FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::float8[])
       AS a(event, key, seconds, burst, wanted, step)
 ORDER BY event, key, seconds
ON CONFLICT (event, key, window_seconds) DO UPDATE SET
    granted = {_GRANTED},
    started_at = greatest(c.started_at, now()) + make_interval(secs => ({_GRANTED} * {_STEP})::float8),
    ceiling = excluded.ceiling, wanted = excluded.wanted
RETURNING event, key, window_seconds, granted,
          extract(epoch FROM started_at - now())::float8 AS ahead
"""  # noqa: S608 - of constants

PURGE = """
DELETE FROM limit_counter WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM limit_counter
     WHERE window_seconds > 0 AND started_at + make_interval(secs => window_seconds) < now() - interval '10 minutes'
     LIMIT $1 FOR UPDATE SKIP LOCKED))
"""

USAGE = """
SELECT event, window_seconds, used, started_at,
       extract(epoch FROM started_at - now())::float8 + window_seconds AS seconds_left
  FROM limit_counter WHERE key = $1 AND event = ANY ($2::text[])
"""
