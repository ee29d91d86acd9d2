"""Settings that change without a restart: groups in Postgres, validated, told to all processes."""
