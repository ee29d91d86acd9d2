"""Rate limits and bans, shared by all processes through Postgres."""
