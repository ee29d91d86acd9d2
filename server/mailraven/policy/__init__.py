"""Policies as tuples of small pure checks: facts in, a verdict out. Look-ups belong to whoever gathers the facts."""
