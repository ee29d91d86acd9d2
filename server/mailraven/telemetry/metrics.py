"""Every metric of the server, by name. Labels are of closed sets, never what a client chose.

With several workers telemetry.multiprocess.prepare() has to run before this module is imported.
"""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)

# SMTP, role: mx | submission
SMTP_CONNECTIONS = Gauge("mailraven_smtp_connections", "Open SMTP connections.", ["role"], multiprocess_mode="livesum")
SMTP_SESSIONS = Counter("mailraven_smtp_sessions", "SMTP connections taken or refused.", ["role", "result"])
SMTP_MESSAGES = Counter(
    "mailraven_smtp_messages",
    "Messages at the end of DATA, by result: accepted, rejected, deferred.",
    ["result", "role"],
)
SMTP_RECIPIENTS = Counter(
    "mailraven_smtp_recipients", "RCPT commands, by result: accepted, rejected, deferred.", ["result", "role"]
)
SMTP_BYTES = Counter("mailraven_smtp_message_bytes", "Octets of accepted messages.", ["role"])
SMTP_DATA_SECONDS = Histogram(
    "mailraven_smtp_data_seconds", "From the end of the data to the reply.", ["role"], buckets=_SECONDS
)

# IMAP
IMAP_SESSIONS = Gauge("mailraven_imap_sessions", "Open IMAP connections.", multiprocess_mode="livesum")
IMAP_IDLE = Gauge("mailraven_imap_idle_sessions", "IMAP sessions in IDLE.", multiprocess_mode="livesum")
IMAP_COMMANDS = Counter(
    "mailraven_imap_commands",
    "IMAP commands, by known command and result: ok, no, bad.",
    ["command", "result"],
)
IMAP_COMMAND_SECONDS = Histogram(
    "mailraven_imap_command_seconds",
    "From the command to its tagged response.",
    ["command"],
    buckets=_SECONDS,
)

# Log-ins, protocol: smtp | imap | http; result: ok | failed | error | refused (over a limit)
AUTH_ATTEMPTS = Counter("mailraven_auth_attempts", "Log-ins.", ["protocol", "result"])

# Outbound; result: delivered, deferred, failed
DELIVERY_ATTEMPTS = Counter(
    "mailraven_delivery_attempts", "Tries to deliver to another server, for each recipient.", ["result"]
)
DELIVERY_SECONDS = Histogram(
    "mailraven_delivery_seconds", "How long a try took.", ["result"], buckets=(*_SECONDS, 60.0, 300.0)
)
DELIVERY_DSNS = Counter("mailraven_delivery_dsns", "Delivery status notifications sent.", ["action"])
# state: queued, attempting, deferred, held. Every process reads the same tables: the latest counts.
QUEUE_DEPTH = Gauge("mailraven_queue_recipients", "Recipients in the queue.", ["state"], multiprocess_mode="mostrecent")
QUEUE_OLDEST_SECONDS = Gauge(
    "mailraven_queue_oldest_seconds", "How late the oldest due recipient is.", multiprocess_mode="mostrecent"
)
BACKUP_LAST_SUCCESS = Gauge(
    "mailraven_backup_last_success_timestamp_seconds",
    "When the last good backup ended, in seconds since 1970; 0: never.",
    multiprocess_mode="mostrecent",
)

# Storage
INTAKE_BATCH = Histogram("mailraven_intake_batch_messages", "Messages of one group commit.", buckets=_BATCH)

# TLS; component: tls (a label keeps processes without listeners for it from reporting 0)
CERTIFICATE_DAYS_LEFT = Gauge(
    "mailraven_certificate_days_left",
    "Days until the first of the certificates ends.",
    ["component"],
    multiprocess_mode="livemin",
)

# Trace; result: written, dropped
TRACE_EVENTS = Counter("mailraven_trace_events", "Events of the delivery trace.", ["result"])

# PROXY protocol; reason: untrusted, missing, malformed, late
PROXY_REFUSED = Counter(
    "mailraven_proxy_refused", "Connections refused for what they said by the PROXY protocol.", ["listener", "reason"]
)

# Processes
HTTP_REQUESTS = Counter("mailraven_http_requests", "HTTP requests, by route and status.", ["route", "status"])
COMPONENT_HEALTHY = Gauge(
    "mailraven_component_healthy",
    "1 healthy, 0.5 degraded, 0 unhealthy.",
    ["component"],
    multiprocess_mode="min",
)
WORKER_RESTARTS = Counter("mailraven_worker_restarts", "Workers that died and were started again.")
WORKER_RESIDENT_BYTES = Gauge(
    "mailraven_worker_resident_bytes", "Resident memory of the workers.", multiprocess_mode="livesum"
)
WORKER_LOOP_LAG_SECONDS = Gauge(
    "mailraven_worker_loop_lag_seconds", "How late the event loop ran its clock.", multiprocess_mode="livemax"
)

# Limits; scope: ip | account | domain | token
LIMIT_STATEMENTS = Counter("mailraven_limit_statements", "Round trips to Postgres for limits.")
LIMIT_REFUSALS = Counter(
    "mailraven_limit_refusals", "Events over a limit, by event and whose limit it is.", ["event", "scope"]
)
BANS_ACTIVE = Gauge("mailraven_bans", "Networks that are banned.", multiprocess_mode="mostrecent")
BANS_MADE = Counter("mailraven_bans_made", "Bans by the server itself.")
BANNED_CONNECTIONS = Counter("mailraven_banned_connections", "Connections refused or ended by a ban.", ["protocol"])
ACCOUNTS_HELD = Counter(
    "mailraven_accounts_held", "Accounts whose sending was held, by reason: new_recipients, bounces.", ["reason"]
)
