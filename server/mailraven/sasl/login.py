"""The LOGIN mechanism (draft-murchison-sasl-login): two prompts, as old clients want it."""

from mailraven.sasl.exchange import Challenge, Credentials, Malformed, Outcome
from mailraven.sasl.plain import MAX_FIELD


class Login:
    def __init__(self) -> None:
        self._asked = False
        self._login: str | None = None

    def step(self, response: bytes | None) -> Outcome:
        if response is None and not self._asked:
            self._asked = True
            return Challenge(b"Username:")
        try:
            text = (response or b"").decode()
        except UnicodeDecodeError:
            return Malformed("the answer isn't UTF-8")
        if not text or "\0" in text or len(text) > MAX_FIELD:
            return Malformed("the answer is empty or too long")
        if self._login is None:
            self._login = text
            return Challenge(b"Password:")
        return Credentials(self._login, text)
