"""LIST, LSUB, STATUS, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE."""

from __future__ import annotations


async def test_bad_syntax(imap):
    async with await imap.login() as client:
        for text in (
            "LIST",
            'LIST ""',
            'LIST "" * extra',
            'LIST (NONSENSE) "" *',
            'LIST "" * RETURN (NONSENSE)',
            'LIST (RECURSIVEMATCH) "" *',
            "LSUB",
            "STATUS INBOX",
            "STATUS INBOX ()",
            "STATUS INBOX (NONSENSE)",
            "CREATE",
            'CREATE ""',
            "CREATE a b",
            "CREATE &bad",
            "DELETE",
            "RENAME a",
            "SUBSCRIBE",
            "SELECT",
            "SELECT a b",
        ):
            await client.bad(text)


async def test_list_shows_special_uses(imap):
    async with await imap.login() as client:
        listed = (await client.ok('LIST "" *')).untagged
        assert listed[0] == b'LIST (\\HasNoChildren) "/" INBOX'
        assert b'LIST (\\HasNoChildren \\Sent) "/" Sent' in listed
        special = (await client.ok('LIST (SPECIAL-USE) "" *')).untagged
        assert len(special) == 5
        assert (await client.ok('LIST "" "%" RETURN (SPECIAL-USE)')).untagged == listed


async def test_empty_pattern_gives_the_delimiter(imap):
    async with await imap.login() as client:
        assert (await client.ok('LIST "" ""')).untagged == [b'LIST (\\Noselect) "/" ""']


async def test_create_makes_parents_and_children_are_shown(imap):
    async with await imap.login() as client:
        await client.ok("CREATE a/b/c/")
        listed = (await client.ok('LIST "" a*')).untagged
        assert listed == [
            b'LIST (\\HasChildren) "/" a',
            b'LIST (\\HasChildren) "/" a/b',
            b'LIST (\\HasNoChildren) "/" a/b/c',
        ]
        assert (await client.ok('LIST "a/" %')).untagged == [b'LIST (\\HasChildren) "/" a/b']
        await client.no("CREATE a/b", code="ALREADYEXISTS")
        await client.no("CREATE inbox", code="ALREADYEXISTS")


async def test_parent_that_is_gone_is_not_selectable(imap):
    async with await imap.login() as client:
        await client.ok("CREATE a/b")
        await client.ok("DELETE a")
        assert (await client.ok('LIST "" a%')).untagged == [b'LIST (\\Noselect \\HasChildren) "/" a']
        extended = (await client.ok('LIST "" (a%) RETURN (CHILDREN)')).untagged
        assert extended == [b'LIST (\\NonExistent \\HasChildren) "/" a']
        await client.no("SELECT a", code="NONEXISTENT")
        await client.no("DELETE a", code="HASCHILDREN")
        await client.ok("CREATE a")


async def test_names_in_utf7(imap):
    async with await imap.login() as client:
        await client.ok("CREATE Entw&APw-rfe")
        assert (await client.ok('LIST "" Ent*')).untagged == [b'LIST (\\HasNoChildren) "/" Entw&APw-rfe']
        assert (await imap.mailstore.mailbox(imap.account, "Entwürfe")).name == "Entwürfe"


async def test_create_with_special_use(imap):
    async with await imap.login() as client:
        await client.ok("CREATE Old (USE (\\Archive))")
        assert (await client.ok('LIST "" Old')).untagged == [b'LIST (\\HasNoChildren \\Archive) "/" Old']
        await client.no("CREATE x (USE (\\All))", code="USEATTR")


async def test_names_that_cannot_be(imap):
    async with await imap.login() as client:
        await client.no("CREATE a//b", code="CANNOT")
        await client.no('CREATE "a*b"', code="CANNOT")
        await client.no("DELETE INBOX", code="CANNOT")
        await client.no("DELETE nothing", code="NONEXISTENT")


async def test_uidvalidity_rises_when_a_mailbox_is_made_again(imap):
    async with await imap.login() as client:
        await client.ok("CREATE a")
        first = await imap.mailstore.mailbox(imap.account, "a")
        await client.ok("DELETE a")
        await client.ok("CREATE a")
        second = await imap.mailstore.mailbox(imap.account, "a")
        assert second.uidvalidity > first.uidvalidity


async def test_rename_takes_children_along(imap):
    async with await imap.login() as client:
        await client.ok("CREATE a/b")
        await client.ok("RENAME a x/y")
        assert {line.split()[-1] for line in (await client.ok('LIST "" x*')).untagged} == {b"x", b"x/y", b"x/y/b"}
        await client.no("RENAME a z", code="NONEXISTENT")
        await client.no("RENAME x Sent", code="ALREADYEXISTS")


async def test_rename_of_inbox_moves_its_messages(imap):
    await imap.deliver(b"Subject: a\r\n\r\n")
    async with await imap.login("INBOX") as client:
        answer = await client.ok("RENAME INBOX old")
        assert answer.lines("EXPUNGE") == [b"1 EXPUNGE"]
        assert (await client.ok("STATUS old (MESSAGES)")).untagged == [b"STATUS old (MESSAGES 1)"]
        assert (await client.ok("STATUS INBOX (MESSAGES)")).untagged == [b"STATUS INBOX (MESSAGES 0)"]


async def test_subscriptions(imap):
    async with await imap.login() as client:
        await client.ok("SUBSCRIBE lists/python")
        assert (await client.ok('LSUB "" lists/*')).untagged == [b'LSUB () "/" lists/python']
        assert (await client.ok('LSUB "" list%')).untagged == [b'LSUB (\\Noselect) "/" lists']
        assert (await client.ok('LIST (SUBSCRIBED) "" lists*')).untagged == [
            b'LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" lists/python'
        ]
        recursive = (await client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" list%')).untagged
        assert recursive == [b'LIST (\\NonExistent \\HasNoChildren) "/" lists ("CHILDINFO" ("SUBSCRIBED"))']
        await client.ok("UNSUBSCRIBE lists/python")
        assert (await client.ok('LSUB "" lists*')).untagged == []


async def test_status(imap):
    await imap.deliver(b"Subject: a\r\n\r\nx")
    async with await imap.login() as client:
        answer = await client.ok("STATUS inbox (MESSAGES RECENT UIDNEXT UNSEEN DELETED SIZE)")
        assert answer.untagged == [b"STATUS INBOX (MESSAGES 1 RECENT 1 UIDNEXT 2 UNSEEN 1 DELETED 0 SIZE 15)"]
        await client.no("STATUS nothing (MESSAGES)", code="NONEXISTENT")
        listed = (await client.ok('LIST "" INBOX RETURN (STATUS (MESSAGES UNSEEN))')).untagged
        assert listed[1] == b"STATUS INBOX (MESSAGES 1 UNSEEN 1)"


async def test_deleting_the_selected_mailbox_closes_it(imap):
    async with await imap.login() as client, await imap.login() as other:
        await client.ok("CREATE a")
        await client.ok("SELECT a")
        await other.ok("SELECT a")
        answer = await client.ok("DELETE a")
        assert answer.untagged == [b"OK [CLOSED] The selected mailbox was deleted"]
        await client.bad("CHECK")
        await other.start("NOOP")
        assert b"* BYE" in await other.closed()
