"""SMTP as values (RFC 5321 and its extensions): bytes in, values or replies out. No IO, clock or logging."""
