"""The messages that are sent: a header of ten fields, a text part and an attachment, all different, made beforehand."""

import base64
import datetime as dt
import itertools
import os
import random

NEEDLE = "zqneedle"  # in the text of every 256th message
SUBJECT_WORD = "kalomi"
_SYLLABLES = (
    "ka",
    "lo",
    "mi",
    "ter",
    "ra",
    "vel",
    "son",
    "da",
    "pri",
    "qua",
    "ne",
    "sto",
    "ber",
    "ing",
    "fa",
    "ul",
    "zo",
)
_BODIES = 256
_TEXT_OCTETS = 2500
_LINE = 70

_random = random.Random(42)
_words = ["".join(_random.choices(_SYLLABLES, k=_random.randint(2, 4))) for _ in range(3000)]
_numbers = itertools.count(1)
_bodies: dict[tuple[int, int], str] = {}


def make_message(index: int, recipient: str, size: int) -> bytes:
    """About `size` octets with CRLF line ends; no line begins with a dot."""
    number = next(_numbers)
    source = random.Random(index)
    date = (dt.datetime.now(dt.UTC) - dt.timedelta(days=index % 1000)).strftime("%a, %d %b %Y %H:%M:%S +0000")
    subject = _text(source, 40).replace("\r\n", " ")
    header = (
        f"Received: from a.example (a.example [192.0.2.{index % 250}])\r\n"
        f"\tby mx.perf.test with ESMTPS id {number:x}\r\n\tfor <{recipient}>; {date}\r\n"
        f'From: "Sender {index % 97}" <s{index % 97}@sender.test>\r\nTo: <{recipient}>\r\n'
        'Cc: Team <team@sender.test>, "Doe, J." <j@doe.test>\r\n'
        f"Subject: {subject} {index}\r\nDate: {date}\r\n"
        f"Message-ID: <{number}.{os.getpid()}.{source.getrandbits(48):x}@sender.test>\r\n"
    )
    if index % 3 == 1:
        header += f"In-Reply-To: <{number - 1}.{os.getpid()}@sender.test>\r\n"
        header += f"References: <{number - 1}.0@sender.test> <{number - 1}.{os.getpid()}@sender.test>\r\n"
    header += 'MIME-Version: 1.0\r\nUser-Agent: bench\r\nContent-Type: multipart/mixed; boundary="=_mb_1"\r\n\r\n'
    key = (index % _BODIES, size)
    body = _bodies.get(key)
    if body is None:
        body = _bodies[key] = _body(source, max(size - len(header) - 420, 100), needle=index % _BODIES == 77)
    return (header + body).encode()


def _body(source: random.Random, octets: int, *, needle: bool) -> str:
    text = _text(source, min(octets, _TEXT_OCTETS))
    if needle:
        text += f"\r\n{NEEDLE} hidden here\r\n"
    attached = base64.encodebytes(source.randbytes((octets - min(octets, _TEXT_OCTETS)) * 72 // 100 + 60))
    return (
        "--=_mb_1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
        f"{text}\r\n--=_mb_1\r\n"
        'Content-Type: application/octet-stream; name="a.bin"\r\nContent-Transfer-Encoding: base64\r\n'
        'Content-Disposition: attachment; filename="a.bin"\r\n\r\n'
        f"{attached.decode().replace(chr(10), chr(13) + chr(10))}--=_mb_1--\r\n"
    )


def _text(source: random.Random, octets: int) -> str:
    parts: list[str] = []
    length = column = 0
    while length < octets:
        word = _words[int(len(_words) * source.random() * source.random())]  # some words are frequent, as in a language
        column += len(word) + 1
        ends_line = column > _LINE
        column = 0 if ends_line else column
        part = word + ("\r\n" if ends_line else " ")
        parts.append(part)
        length += len(part)
    return "".join(parts)[:octets].rstrip("\r")
