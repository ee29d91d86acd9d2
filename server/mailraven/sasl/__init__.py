"""SASL exchanges as small pure machines (RFC 4422); SMTP and IMAP put their own framing around them."""

from mailraven.sasl.encoding import CANCEL, decode_response, encode_challenge
from mailraven.sasl.exchange import Challenge, Credentials, Exchange, Malformed, Outcome
from mailraven.sasl.login import Login
from mailraven.sasl.mechanisms import MECHANISMS, start
from mailraven.sasl.plain import Plain, parse_plain

__all__ = [
    "CANCEL",
    "MECHANISMS",
    "Challenge",
    "Credentials",
    "Exchange",
    "Login",
    "Malformed",
    "Outcome",
    "Plain",
    "decode_response",
    "encode_challenge",
    "parse_plain",
    "start",
]
