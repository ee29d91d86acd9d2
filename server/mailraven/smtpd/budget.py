"""How many octets of messages a process holds at a time, over all of its connections."""


class MemoryBudget:
    """Counted as octets arrive, not as they are declared: a declaration must not lock others out."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def has_room(self, octets: int) -> bool:
        return self.used + octets <= self.limit

    def take(self, octets: int) -> bool:
        if self.used + octets > self.limit:
            return False
        self.used += octets
        return True

    def give_back(self, octets: int) -> None:
        self.used -= octets
