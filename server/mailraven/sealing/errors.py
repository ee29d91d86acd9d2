"""Why something cannot be sealed or opened, in words for the person who runs the server; never with a secret in it."""


class SealingError(Exception):
    """What depends on the secret cannot be done now; all else goes on."""


class NoMasterKey(SealingError):
    """The settings have no master key."""

    def __init__(self) -> None:
        super().__init__(
            "no master key: set secrets.key_file or secrets.key to the base64 of 32 random bytes "
            "(`openssl rand -base64 32` makes one) and start again"
        )


class WrongMasterKey(SealingError):
    """Sealed with a key that the settings do not name."""

    def __init__(self, purpose: str, key_id: str) -> None:
        super().__init__(
            f"{purpose} was sealed with master key {key_id}, which is not among the keys of the settings: "
            "name its file in secrets.previous_key_files, or install the secret anew"
        )


class SealBroken(SealingError):
    """Damaged, or sealed for something else."""

    def __init__(self, purpose: str) -> None:
        super().__init__(f"{purpose}: the stored secret is damaged or belongs to something else")
