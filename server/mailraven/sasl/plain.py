"""The PLAIN mechanism (RFC 4616): authzid NUL authcid NUL passwd, all UTF-8."""

from mailraven.sasl.exchange import Challenge, Credentials, Malformed, Outcome

MAX_FIELD = 1024  # octets; RFC 4616 §2 leaves the bound of each field to the implementation


def parse_plain(message: bytes) -> Credentials | Malformed:
    fields = message.split(b"\0")
    if len(fields) != 3:
        return Malformed("PLAIN takes three fields")
    if any(len(item) > MAX_FIELD for item in fields):
        return Malformed("a field is too long")
    try:
        authorization_id, login, password = (item.decode() for item in fields)
    except UnicodeDecodeError:
        return Malformed("a field isn't UTF-8")
    if not login or not password:  # RFC 4616 §2: authcid = 1*SAFE, passwd = 1*SAFE
        return Malformed("a field is empty")
    return Credentials(login, password, authorization_id)


class Plain:
    """The client speaks first; without an initial response it is asked with an empty challenge."""

    def step(self, response: bytes | None) -> Outcome:
        return Challenge(b"") if response is None else parse_plain(response)
