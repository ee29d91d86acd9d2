"""Real mail (3,122 messages), compared with Python's email package and with recorded answers of Dovecot 2.3.

Each difference has a reason here: a rule where many messages share it, else a line in a table. What no
reason covers fails the test, and so does a reason that covers nothing any more.
"""

import email
import inspect
import json
import lzma
from collections import Counter
from datetime import UTC
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path

import pytest

from mailraven.message import (
    Part,
    Section,
    addresses,
    body_wire,
    decode_words,
    extract,
    header_fields,
    parse,
    parse_date,
    search_text,
    summarize,
    unfold,
)
from mailraven.testing.corpus import corpus_messages, corpus_path

DOVECOT = Path(__file__).parents[1] / "data" / "dovecot-spamassassin.json.xz"
pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(corpus_path() is None, reason="MAILRAVEN_CORPUS names no file"),
]


@pytest.fixture(scope="module")
def corpus():
    return dict(corpus_messages(corpus_path()))


# Dovecot ---------------------------------------------------------------------------------------------------

FIELDS = ("date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id")
NO_DOMAIN = "an address with : or ; in its localpart: Dovecot gives up with SYNTAX_ERROR, we keep what is there"
NO_PARTS = "a multipart whose boundary never occurs: Dovecot shows an empty part, we show the body as text"
DOVECOT_DIFFERS = {
    ("hard-ham/00199.a69d994a7a76f49be4f4e8b839adc00a.eml", "to"): NO_DOMAIN,
    ("hard-ham/00247.42534d5df0700cb2adf240556c539947.eml", "to"): NO_DOMAIN,
    ("spam/00096.a791864be5f1205bf2cea0adf241b25a.eml", "to"): NO_DOMAIN,
    ("spam/00133.17dccf2499a4245b83890e0784c43499.eml", "to"): NO_DOMAIN,
    ("spam/00296.0087354f4bb7c4e756124632a4a7e80a.eml", "to"): NO_DOMAIN,
    ("spam/00297.3350c2dbbb0272c27b2c7773d7012356.eml", "to"): NO_DOMAIN,
    ("spam/00351.fd1b8a6cd42e81125fb38c2660cd9317.eml", "to"): NO_DOMAIN,
    ("spam/00368.2c1ab4bc7f408e0fcb22dca9b2d5a113.eml", "to"): NO_DOMAIN,
    ("spam/00373.ebe8670ac56b04125c25100a36ab0510.eml", "to"): NO_DOMAIN,
    ("spam/00467.5b733c506b7165424a0d4a298e67970f.eml", "bodystructure"): NO_PARTS,
}


def same_space(value):
    """Dovecot shows a fold as one space; we leave the white space that was folded (RFC 5322 §2.2.3)."""
    if isinstance(value, list):
        return [same_space(item) for item in value]
    return b" ".join(value.split()) if isinstance(value, bytes) else value


def same_case(value):
    """Dovecot forgets the case of a plain text/plain; MIME names have none (RFC 2045 §5.1)."""
    if isinstance(value, list):
        return [same_case(item) for item in value]
    return value.lower() if isinstance(value, bytes) else value


def test_envelope_and_bodystructure_are_those_of_dovecot(corpus, wire):
    answers = json.loads(lzma.decompress(DOVECOT.read_bytes()))
    assert answers.keys() == corpus.keys()
    different = set()
    for name, raw in corpus.items():
        summary = summarize(raw)
        envelope, structure = wire.read(summary.envelope), wire.read(summary.bodystructure)
        wire.check_envelope(envelope)
        wire.check_body(structure)
        wire.check_body(wire.read(body_wire(summary.bodystructure)), extensible=False)
        theirs, their_structure = (wire.read(answer.encode("latin-1")) for answer in answers[name])
        for field, our_value, their_value in zip(FIELDS, envelope, theirs, strict=True):
            if same_space(our_value) != same_space(their_value):
                different.add((name, field))
        if same_case(same_space(structure)) != same_case(same_space(their_structure)):
            different.add((name, "bodystructure"))
    assert different == DOVECOT_DIFFERS.keys()


# Python's email package ------------------------------------------------------------------------------------


def differences(corpus, check):
    """(reasons of rules, names without a reason); check yields a reason or None for each difference."""
    reasons = Counter()
    unexplained = set()
    for name, raw in corpus.items():
        for reason in check(raw, email.message_from_bytes(raw)):
            if reason is None:
                unexplained.add(name)
            else:
                reasons[reason] += 1
    return reasons, unexplained


def types(part):
    if isinstance(part, Message):
        return part.get_content_type(), [types(child) for child in part.get_payload()] if part.is_multipart() else []
    name = part.media_type.type + b"/" + part.media_type.subtype
    return name.decode("latin-1").lower(), [types(child) for child in part.children]


STATUS_BLOCKS = "Python makes parts of the blocks of message/delivery-status; to IMAP it is one part"
STRUCTURE_DIFFERS = {
    "ham/01436.dc449ba377210e77d84647619e49c872.eml": STATUS_BLOCKS,
    "ham/01542.ed72bf2cd81ccd4c076533fb0af004e5.eml": STATUS_BLOCKS,
    "spam/00467.5b733c506b7165424a0d4a298e67970f.eml": NO_PARTS,
}


def test_the_structure_is_that_of_the_email_package(corpus):
    def check(raw, message):
        if types(parse(raw)) != types(message):
            yield None

    reasons, unexplained = differences(corpus, check)
    assert not reasons
    assert unexplained == STRUCTURE_DIFFERS.keys()


def leaves(part: Part, message: Message):
    pending = [(part, message, True)]
    while pending:
        part, message, closed = pending.pop()
        if part.children and message.is_multipart():
            inner = message.get_payload()
            unclosed = any("CloseBoundaryNotFound" in type(defect).__name__ for defect in message.defects)
            pending += [(*pair, closed and not unclosed) for pair in zip(part.children, inner, strict=True)]
        elif not part.children and not message.is_multipart():
            yield part, message, closed


UNCLOSED = "the multipart has no closing delimiter: Python drops the last line end, which belongs to no delimiter"
BODIES_DIFFER = {
    "spam/00038.8d93819b95ff90bf2e2b141c2909bfc9.eml": "text after the closing delimiter on its line:"
    " RFC 2046 §5.1.1 says it is one all the same, as Dovecot does; Python reads on",
}


def test_the_octets_of_the_parts_are_those_of_the_email_package(corpus):
    def check(raw, message):
        tree = parse(raw)
        if types(tree) != types(message):
            return
        for part, inner, closed in leaves(tree, message):
            del inner["Content-Transfer-Encoding"]  # so that the octets come undecoded
            ours, theirs = raw[part.body : part.end], inner.get_payload(decode=True)
            if ours != theirs:
                yield UNCLOSED if not closed and ours == theirs + b"\r\n" else None

    reasons, unexplained = differences(corpus, check)
    assert reasons == {UNCLOSED: 25}
    assert unexplained == BODIES_DIFFER.keys()


def fields_of(raw, name):
    return [value for field, value in header_fields(raw[: parse(raw).body]) if field.lower() == name.encode()]


RAW_8BIT = "octets beyond ASCII outside encoded words: Python shows U+FFFD, we read UTF-8 or Latin-1"
SUBJECTS_DIFFER = {
    "hard-ham/00149.f6fddcb1750a61e5e085e22a4fa08912.eml": "ISO-8859-1 is read as windows-1252: a trade mark",
    "spam/00311.9797029f3ee441b00f3b7521e573cb96.eml": "octets foreign to the charset: Python raises",
}


def test_subjects_are_decoded_as_the_email_package_does(corpus):
    def check(raw, message):
        if message["Subject"] is None:
            return
        value = unfold(fields_of(raw, "subject")[0])
        try:
            theirs = str(make_header(decode_header(message["Subject"])))
        except UnicodeDecodeError:
            theirs = None
        if theirs is None or decode_words(value).split() != theirs.split():
            yield None if value.isascii() else RAW_8BIT

    reasons, unexplained = differences(corpus, check)
    assert reasons == {RAW_8BIT: 16}
    assert unexplained == SUBJECTS_DIFFER.keys()


QUOTED_LOCALPART = "Python keeps the quotation marks of a localpart; IMAP and Dovecot do without"
CUT_LOCALPART = "a : or ; in a localpart: Python makes two addresses of it"
NO_ADDRESS = "no address at all: Python leaves it out; an ENVELOPE must name something"
ADDRESSES_DIFFER = {
    "ham/00714.16c4d34ab2c9622fe82de9570946f9ef.eml": QUOTED_LOCALPART,
    "spam/00319.a99dff9c010e00ec182ed5701556d330.eml": QUOTED_LOCALPART,
    "hard-ham/00199.a69d994a7a76f49be4f4e8b839adc00a.eml": CUT_LOCALPART,
    "hard-ham/00247.42534d5df0700cb2adf240556c539947.eml": CUT_LOCALPART,
    "spam/00096.a791864be5f1205bf2cea0adf241b25a.eml": CUT_LOCALPART,
    "spam/00133.17dccf2499a4245b83890e0784c43499.eml": CUT_LOCALPART,
    "spam/00296.0087354f4bb7c4e756124632a4a7e80a.eml": CUT_LOCALPART,
    "spam/00297.3350c2dbbb0272c27b2c7773d7012356.eml": CUT_LOCALPART,
    "spam/00351.fd1b8a6cd42e81125fb38c2660cd9317.eml": CUT_LOCALPART,
    "spam/00368.2c1ab4bc7f408e0fcb22dca9b2d5a113.eml": CUT_LOCALPART,
    "spam/00373.ebe8670ac56b04125c25100a36ab0510.eml": CUT_LOCALPART,
    "spam/00089.7e7baae6ef4a8fb945d7b3fe551329fe.eml": NO_ADDRESS,
    "spam/00230.214f8d9a756aee75e292056c1f65a005.eml": NO_ADDRESS,
}
# Later Pythons refuse a list that is not quite right; the lenient reading is the one to compare with.
LENIENT = {"strict": False} if "strict" in inspect.signature(getaddresses).parameters else {}


def test_addresses_are_those_of_the_email_package(corpus):
    def check(raw, message):
        for name in ("from", "sender", "reply-to", "to", "cc"):
            theirs = [spec for _, spec in getaddresses(list(map(str, message.get_all(name, []))), **LENIENT) if spec]
            values = fields_of(raw, name)
            found = [address for value in values for address in addresses(value) if address.domain]
            ours = [b"%b@%b" % (address.localpart, address.domain) for address in found]
            if ours != [spec.encode() for spec in theirs]:
                yield None if all(map(bytes.isascii, values)) else RAW_8BIT

    reasons, unexplained = differences(corpus, check)
    assert reasons == {RAW_8BIT: 3}
    assert unexplained == ADDRESSES_DIFFER.keys()


YEAR_102 = "a year counted from 1900 in four digits (0102): Python says the year 102, we say 2002"
DATES_DIFFER = {
    "spam/00068.d10af636a6082d5172ceb34a944486e6.eml": "no zone is 01800: Python reads +1800, we read none",
}


def test_dates_are_those_of_the_email_package(corpus):
    def check(raw, message):
        if message["Date"] is None:
            return
        ours = parse_date(unfold(fields_of(raw, "date")[0]))
        try:
            theirs = parsedate_to_datetime(str(message["Date"]))
        except ValueError:
            theirs = None
        if theirs is not None and theirs.tzinfo is None:
            theirs = theirs.replace(tzinfo=UTC)
        if ours != theirs:
            yield YEAR_102 if ours and theirs == ours.replace(year=ours.year - 1900) else None

    reasons, unexplained = differences(corpus, check)
    assert reasons == {YEAR_102: 14}
    assert unexplained == DATES_DIFFER.keys()


# By itself -------------------------------------------------------------------------------------------------


def test_sections_give_back_the_octets(corpus):
    for raw in corpus.values():
        tree = parse(raw)
        assert extract(raw, Section()) == raw
        assert extract(raw, Section(text="HEADER"), tree) + extract(raw, Section(text="TEXT"), tree) == raw
        nothing = Section(text="HEADER.FIELDS.NOT", fields=("no-such-field",))
        assert extract(raw, nothing, tree) == extract(raw, Section(text="HEADER"), tree)
        for number, part in enumerate(tree.children, 1):
            if tree.media_type.type.lower() == b"multipart":
                assert extract(raw, Section((number,)), tree) == raw[part.body : part.end]
                assert extract(raw, Section((number,), "MIME"), tree) == raw[part.start : part.body]


def test_text_for_search_can_be_stored(corpus):
    found = 0
    for raw in corpus.values():
        for text in search_text(raw):
            assert "\0" not in text
            found += len(text.encode())
    assert found > 10_000_000
