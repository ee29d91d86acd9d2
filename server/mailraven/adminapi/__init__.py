"""HTTP: the operations endpoints of every role and the admin API (problem+json by RFC 9457)."""
