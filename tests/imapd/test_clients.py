"""Clients that others wrote: Python's imaplib and curl."""

from __future__ import annotations

import asyncio
import imaplib
import shutil
import ssl

import pytest

from mailraven.testing.imap_dialogue import Dialogue

MESSAGE = b"From: a@example.org\r\nSubject: hello\r\n\r\nbody\r\n"
USER, PASSWORD = "jane@example.org", "correct horse battery"


def _imaplib_tour(port: int, context: ssl.SSLContext) -> None:
    with imaplib.IMAP4("localhost", port, timeout=10) as client:
        client.starttls(context)
        client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
        assert client.append("INBOX", "(\\Seen)", imaplib.Time2Internaldate(0), MESSAGE)[0] == "OK"
        assert client.append("INBOX", None, None, MESSAGE)[0] == "OK"
        assert client.select("INBOX") == ("OK", [b"2"])
        assert client.search(None, "UNSEEN") == ("OK", [b"2"])
        kind, parts = client.fetch("1:2", "(FLAGS BODY.PEEK[])")
        assert kind == "OK"
        assert [part[1] for part in parts if isinstance(part, tuple)] == [MESSAGE, MESSAGE]
        assert client.store("2", "+FLAGS", "(\\Deleted)")[0] == "OK"
        assert client.expunge() == ("OK", [b"2"])
        assert client.copy("1", "Archive")[0] == "OK"
        assert client.create("Lists")[0] == "OK"
        assert client.rename("Lists", "Mail")[0] == "OK"
        assert len(client.list()[1]) == 7
        assert client.status("Archive", "(MESSAGES)") == ("OK", [b"Archive (MESSAGES 1)"])
        assert client.delete("Mail")[0] == "OK"
        assert client.close()[0] == "OK"


async def test_imaplib(start_imap):
    imap = await start_imap(plaintext=False)
    await asyncio.to_thread(_imaplib_tour, imap.port, imap.client_tls)


@pytest.mark.clients
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl(imap, tmp_path):
    await imap.deliver(MESSAGE)
    upload = tmp_path / "message"
    upload.write_bytes(MESSAGE)

    async def curl(*arguments: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "-u", f"{USER}:{PASSWORD}", *arguments, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0
        return out

    base = f"imap://127.0.0.1:{imap.port}"
    assert await curl(f"{base}/INBOX;UID=1") == MESSAGE
    await curl("-T", str(upload), f"{base}/INBOX")
    assert await curl(f"{base}/INBOX;UID=2") == MESSAGE
    assert b"* SEARCH 1 2" in await curl(f"{base}/INBOX?ALL")
    assert b'"/" INBOX' in await curl(f"{base}/")


async def test_dialogue_sees_a_server_that_closes(imap):
    client = await Dialogue.connect("127.0.0.1", imap.port)
    await client.ok("LOGOUT")
    with pytest.raises(EOFError):
        await client.line()
    await client.close()
