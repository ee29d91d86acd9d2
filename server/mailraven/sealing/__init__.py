"""Secrets at rest: AES-256-GCM under a master key that is not in the database."""
