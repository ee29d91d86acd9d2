"""Who did what, when, from where: an append-only log."""
