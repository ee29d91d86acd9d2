"""The base64 framing SMTP and IMAP share (RFC 4954 §4, RFC 9051 §6.2.2)."""

import binascii

CANCEL = b"*"
"""A line of this alone, in place of a response, cancels the exchange."""


def encode_challenge(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)


def decode_response(token: bytes, *, initial: bool = False) -> bytes | None:
    """The octets behind `token`, or None where it isn't base64 (strict: alphabet, padding, no rest)."""
    if initial and token == b"=":  # RFC 4954 §4: an initial response of no octets
        return b""
    try:
        return binascii.a2b_base64(token, strict_mode=True) if token else b""
    except binascii.Error:
        return None
