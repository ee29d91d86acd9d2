"""Real parts for tests: a Postgres, databases, corpora, dialogues. Imported by tests only."""
