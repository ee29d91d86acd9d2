"""Untagged data."""

from mailraven.imap import data


def test_lines() -> None:
    assert data.capability(["IMAP4rev1", "IDLE"]) == b"* CAPABILITY IMAP4rev1 IDLE\r\n"
    assert data.enabled([]) == b"* ENABLED\r\n"
    assert data.enabled(["UTF8=ACCEPT"]) == b"* ENABLED UTF8=ACCEPT\r\n"
    assert data.flags(["\\Seen", "$x"]) == b"* FLAGS (\\Seen $x)\r\n"
    assert data.exists(3) == b"* 3 EXISTS\r\n"
    assert data.recent(0) == b"* 0 RECENT\r\n"
    assert data.expunge([5, 3]) == b"* 5 EXPUNGE\r\n* 3 EXPUNGE\r\n"


def test_search() -> None:
    assert data.search([]) == b"* SEARCH\r\n"
    assert data.search([2, 84]) == b"* SEARCH 2 84\r\n"
    assert data.search([2], modseq=9) == b"* SEARCH 2 (MODSEQ 9)\r\n"
    assert data.search([], modseq=9) == b"* SEARCH\r\n"


def test_status_and_list() -> None:
    assert data.status("Ä b", {"MESSAGES": 2, "UIDNEXT": 9}) == b'* STATUS "&AMQ- b" (MESSAGES 2 UIDNEXT 9)\r\n'
    assert data.list_entry("INBOX", ["\\HasNoChildren"]) == b'* LIST (\\HasNoChildren) "/" INBOX\r\n'
    assert data.list_entry("a", kind="LSUB") == b'* LSUB () "/" a\r\n'
    assert data.list_entry("ä", utf8=True) == b'* LIST () "/" "\xc3\xa4"\r\n'
    assert (
        data.list_entry("a", ["\\NonExistent"], child_info=["SUBSCRIBED"])
        == b'* LIST (\\NonExistent) "/" a ("CHILDINFO" ("SUBSCRIBED"))\r\n'
    )
    assert data.list_root() == b'* LIST (\\Noselect) "/" ""\r\n'


def test_namespace_and_id() -> None:
    assert data.namespace() == b'* NAMESPACE (("" "/")) NIL NIL\r\n'
    assert data.namespace([""], ["Other Users/"]) == b'* NAMESPACE (("" "/")) (("Other Users/" "/")) NIL\r\n'
    assert data.identification(None) == b"* ID NIL\r\n"
    assert data.identification({"name": "MailRaven", "os": None}) == b'* ID ("name" "MailRaven" "os" NIL)\r\n'
