import pytest

from mailraven.message import Kind, parse
from mailraven.message.limits import MAX_LEVELS, MAX_PARTS, Budget
from mailraven.message.mime import OCTET_STREAM, TEXT_PLAIN
from mailraven.message.tree import parse_within


def multipart(*parts, boundary=b"x", subtype=b"mixed", close=True):
    head = b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n' % (subtype, boundary)
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    return head + body + (b"--%b--\r\n" % boundary if close else b"")


def bodies(raw):
    return [raw[part.body : part.end] for part in parse(raw).children]


def count(tree):
    total, pending = 0, [tree]
    while pending:
        part = pending.pop()
        total += 1
        pending += part.children
    return total


def depth(tree):
    level = 0
    row = [tree]
    while row:
        level += 1
        row = [child for part in row for child in part.children]
    return level


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"--x\r\n\r\none\r\n--x\r\n\r\ntwo\r\n--x--\r\n", [b"one", b"two"]),
        (b"preamble\r\n--x\r\n\r\none\r\n--x--\r\nepilogue\r\n--x\r\n\r\nno", [b"one"]),
        (b"--x  \t\r\n\r\none\r\n--x-- \r\n", [b"one"]),
        (b"--x\n\none\n--x\n\ntwo\n--x--", [b"one", b"two"]),
        (b"--x\r\n\r\none\r\n--x", [b"one"]),
        (b"--x\r\n\r\none\r\n", [b"one\r\n"]),
        (b"--x\r\n\r\n--x\r\n\r\n\r\n--x--", [b"", b""]),
        (b"--x\r\n--x\r\n--x--", [b"", b""]),
        (b"--x\r\n\r\n--xy\r\n--x-y\r\n--x--y\r\n --x\r\n--X\r\n--x--", [b"--xy\r\n--x-y\r\n--x--y\r\n --x\r\n--X"]),
        (b"--x\r\n\r\none\r\n--x--</html>\r\n--x\r\n\r\ntwo", [b"one"]),
        (b"--x\r\n\r\na\r\n\r\n--x--", [b"a\r\n"]),
        (b"--x\r\n\r\na\r\r\n--x--", [b"a\r"]),
    ],
)
def test_the_line_end_before_a_delimiter_belongs_to_it(body, expected):
    assert bodies(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + body) == expected


@pytest.mark.parametrize("body", [b"", b"\r\n", b"no delimiter", b"--x--\r\n", b"--y\r\n\r\nz", b"a--x\r\n"])
def test_a_multipart_without_parts_is_shown_as_text(body):
    tree = parse(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + body)
    assert (tree.kind, tree.media_type, tree.octets) == (Kind.LEAF, TEXT_PLAIN, len(body))


@pytest.mark.parametrize("params", [b"", b"; boundary=", b'; boundary="  "', b"; boundary"])
def test_a_multipart_without_boundary_is_shown_as_text(params):
    tree = parse(b"Content-Type: multipart/mixed%b\r\n\r\n--\r\n\r\nx\r\n----\r\n" % params)
    assert (tree.kind, tree.media_type) == (Kind.LEAF, TEXT_PLAIN)


def test_a_boundary_that_starts_like_another_is_not_taken_for_it():
    inner = multipart(b"\r\na", b"\r\nb", boundary=b"Mail-10")
    tree = parse(multipart(inner, b"\r\nc", boundary=b"Mail-1"))
    assert [len(part.children) for part in tree.children] == [2, 0]


def test_the_outer_delimiter_ends_an_inner_multipart_that_was_not_closed():
    inner = multipart(b"\r\na", boundary=b"in", close=False)
    tree = parse(multipart(inner, b"\r\nc", boundary=b"out"))
    assert [len(part.children) for part in tree.children] == [1, 0]


def test_one_boundary_used_on_two_levels_belongs_to_the_outer():
    raw = multipart(multipart(b"\r\na"), b"\r\nb")
    assert [part.media_type.type for part in parse(raw).children] == [b"text", b"text"]


def test_parts_of_a_digest_are_messages_unless_they_say_otherwise():
    tree = parse(multipart(b"\r\nSubject: a\r\n\r\nb", b"Content-Type: text/plain\r\n\r\nc", subtype=b"Digest"))
    assert [part.kind for part in tree.children] == [Kind.MESSAGE, Kind.LEAF]


def test_lines_are_counted_for_text_and_messages():
    tree = parse(b"Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\none\r\ntwo")
    assert (tree.lines, tree.children[0].lines) == (3, 1)
    tree = parse(multipart(b"\r\n1\r\n2", b"Content-Type: message/rfc822\r\n\r\n\r\n3\r\n"))
    assert [part.lines for part in tree.children] == [1, 2]
    assert tree.children[1].children[0].lines == 1


def test_deep_multiparts_end_at_the_limit_of_levels():
    raw = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number) for number in range(10_000)
    )
    tree = parse(raw)
    assert depth(tree) == MAX_LEVELS
    while tree.children:
        tree = tree.children[0]
    assert (tree.kind, tree.media_type, tree.end) == (Kind.LEAF, OCTET_STREAM, len(raw))


def test_deep_messages_end_at_the_limit_of_levels():
    tree = parse(b"Content-Type: message/rfc822\r\n\r\n" * 10_000)
    assert depth(tree) == MAX_LEVELS


def test_many_parts_end_at_the_limit_and_the_last_holds_the_rest():
    raw = multipart(*[b"\r\nx"] * (2 * MAX_PARTS))
    tree = parse(raw)
    assert count(tree) == MAX_PARTS
    assert tree.children[-1].end == len(raw)


def test_many_parts_in_many_multiparts_end_at_the_limit():
    inner = multipart(*[b"\r\nx"] * 150, boundary=b"in")
    tree = parse(multipart(*[inner] * 150))
    assert count(tree) <= MAX_PARTS
    assert tree.children[-1].media_type == OCTET_STREAM


def test_work_that_the_allowance_does_not_cover_is_not_done():
    raw = multipart(multipart(multipart(b"\r\nx", boundary=b"3"), boundary=b"2"), boundary=b"1")
    assert depth(parse_within(raw, Budget())) == 4
    budget = Budget(scanned_octets=len(raw) // 2)
    assert depth(parse_within(raw, budget)) < 4
    # What was begun is finished: one look past the allowance at most.
    assert budget.scanned_octets > -len(raw)


def test_lines_that_are_nearly_delimiters_use_up_the_allowance():
    budget = Budget(scanned_octets=512 * 100)
    raw = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--xy\n" * 1_000 + b"--x\r\n\r\nlate"
    tree = parse_within(raw, budget)
    assert tree.kind is Kind.LEAF


def test_a_header_beyond_the_limit_is_kept_but_not_read():
    raw = b"A: b\r\n" * 100 + b"Content-Type: text/html\r\n\r\nbody"
    tree = parse_within(raw, Budget(header_octets=50))
    assert tree.media_type == TEXT_PLAIN
    assert raw[tree.body :] == b"body"
