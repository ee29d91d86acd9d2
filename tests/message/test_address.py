import pytest

from mailraven.message import Address, addresses
from mailraven.message.address import GROUP_END, MISSING_DOMAIN, MISSING_LOCALPART


def mailbox(localpart, domain, name=None, route=None):
    return Address(name, route, localpart, domain)


def group(name):
    return Address(None, None, name, None)


AB = mailbox(b"a", b"b")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a@b", [AB]),
        (b" <a@b> ", [AB]),
        (b"a@b,c@d", [AB, mailbox(b"c", b"d")]),
        (b"Joe Q. Public <a@b>", [mailbox(b"a", b"b", b"Joe Q. Public")]),
        (b"Joe  Q\t <a@b>", [mailbox(b"a", b"b", b"Joe Q")]),
        (b'"Doe, J." <a@b>', [mailbox(b"a", b"b", b"Doe, J.")]),
        (b'"a \\"b\\"" <a@b>', [mailbox(b"a", b"b", b'a "b"')]),
        (b'"Joe" "Q" <a@b>', [mailbox(b"a", b"b", b"Joe Q")]),
        (b'"Joe\r\n Q" <a@b>', [mailbox(b"a", b"b", b"Joe Q")]),
        (b'"" <a@b>', [AB]),
        (b"=?utf-8?q?J=F6?= <a@b>", [mailbox(b"a", b"b", b"=?utf-8?q?J=F6?=")]),
        (b"J\xf6 <a@b>", [mailbox(b"a", b"b", b"J\xf6")]),
        (b"a@b (Joe (nested) Q)", [mailbox(b"a", b"b", b"Joe (nested) Q")]),
        (b"(x) Joe (y) <a@b> (z)", [mailbox(b"a", b"b", b"Joe")]),
        (b"MAILER-DAEMON (Mail System)", [mailbox(b"MAILER-DAEMON", MISSING_DOMAIN, b"Mail System")]),
        (b"<@r1,@r2:a@b>", [mailbox(b"a", b"b", None, b"@r1,@r2")]),
        (b'"a b"@c', [mailbox(b"a b", b"c")]),
        (b'"a"."b"@c', [mailbox(b"a.b", b"c")]),
        (b"a . b @ c . d", [mailbox(b"a.b", b"c.d")]),
        (b"a@[192.0.2.1]", [mailbox(b"a", b"[192.0.2.1]")]),
        (b"J@e <a@b>", [mailbox(b"a", b"b", b"J@e")]),
        (b"Joe Q a@b", [mailbox(b"a", b"b", b"Joe Q")]),
        # groups
        (b"g:;", [group(b"g"), GROUP_END]),
        (b"g: a@b, Joe <c@d>; x@y", [group(b"g"), AB, mailbox(b"c", b"d", b"Joe"), GROUP_END, mailbox(b"x", b"y")]),
        (b"my group: a@b", [group(b"my group"), AB, GROUP_END]),
        (b'"g, h":a@b;', [group(b"g, h"), AB, GROUP_END]),
        (b"g:a@b;h:;", [group(b"g"), AB, GROUP_END, group(b"h"), GROUP_END]),
        # broken
        (b"", []),
        (b"  ,, ,", []),
        (b"(only a comment)", []),
        (b"(unclosed a@b", []),
        (b"a@b, (unclosed", [AB]),
        (b",,a@b,,", [AB]),
        (b"a@b;c@d", [AB, mailbox(b"c", b"d")]),
        (b"a@b>", [AB]),
        (b"<a@b", [AB]),
        (b"Joe <a@b, c@d", [mailbox(b"a", b"b", b"Joe"), mailbox(b"c", b"d")]),
        (b"<<a@b>>", [AB]),
        (b"Joe <a@b> extra, c@d", [mailbox(b"a", b"b", b"Joe"), mailbox(b"c", b"d")]),
        (b'"unclosed <a@b>', [mailbox(b"a", b"b", b"unclosed")]),
        (b"Joe [x] <a@b>", [mailbox(b"a", b"b", b"Joe [x]")]),
        (b"Joe", [mailbox(b"Joe", MISSING_DOMAIN)]),
        (b"Joe Q", [mailbox(MISSING_LOCALPART, MISSING_DOMAIN, b"Joe Q")]),
        (b"Joe <>", [mailbox(MISSING_LOCALPART, MISSING_DOMAIN, b"Joe")]),
        (b"<a>", [mailbox(b"a", MISSING_DOMAIN)]),
        (b"a@", [mailbox(b"a", MISSING_DOMAIN)]),
        (b"@b", [mailbox(MISSING_LOCALPART, b"b")]),
        (b"a@b@c", [mailbox(b"a@b", b"c")]),
        (b"a@b\0c", [mailbox(b"a", b"bc")]),
        (b":", []),
        (b";", []),
        (b":a@b", [AB]),
        (b"g:h:a@b;", [group(b"g"), mailbox(b"h:a", b"b"), GROUP_END]),
    ],
)
def test_addresses(value, expected):
    assert addresses(value) == expected


def test_every_octet_is_taken_anywhere():
    for octet in range(256):
        value = bytes([octet])
        for form in (b"%b", b"%ba@b", b"a%b@b", b"a@%bb", b"J%b <a@b>", b"<a@b%b>", b'"a%b"@b', b"(%b)a@b", b"g:%b;"):
            for address in addresses(form % value):
                assert address == GROUP_END or address.localpart is not None


def test_a_list_is_read_as_far_as_the_limit_of_a_field():
    found = addresses(b", ".join(b"user%05d@example.com" % number for number in range(50_000)))
    assert 2_500 < len(found) < 3_500
    assert found[2_000] == mailbox(b"user02000", b"example.com")
