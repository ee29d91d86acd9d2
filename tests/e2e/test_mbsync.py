"""mbsync keeps a Maildir and an account equal, byte for byte."""

import collections
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailraven.testing.mail_clients import HOST, Mailserver, run_client

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(shutil.which("mbsync") is None, reason="mbsync (Debian: isync) is not installed"),
]

# mbsync marks what it uploads with a header line of its own.
TUID = re.compile(rb"^X-TUID: \S{12}\r?\n", re.MULTILINE)


@dataclass(frozen=True)
class Replica:
    """A directory of Maildirs that mbsync keeps equal to the account."""

    server: Mailserver
    root: Path
    listener: str
    mailbox: str

    def __post_init__(self) -> None:
        address, password = self.server.user(0)
        self.maildir.parent.mkdir(parents=True)
        tls = {"imaps": "IMAPS", "imap": "STARTTLS"}[self.listener]
        (self.root / "mbsyncrc").write_text(
            f"IMAPStore server\nHost {HOST}\nPort {self.server.port(self.listener)}\nUser {address}\n"
            f"Pass {password}\nSSLType {tls}\nCertificateFile {self.server.ca_file}\n\n"
            f"MaildirStore local\nPath {self.root}/mail/\nInbox {self.root}/mail/INBOX\nSubFolders Verbatim\n\n"
            f"Channel all\nFar :server:\nNear :local:\nPatterns {self.mailbox}\nCreate Both\nExpunge Both\n"
            f"SyncState {self.root}/state/\n"
        )
        (self.root / "state").mkdir()

    @property
    def maildir(self) -> Path:
        """Of the one mailbox."""
        return self.root / "mail" / self.mailbox

    def sync(self) -> None:
        """Both ways."""
        run_client(["mbsync", "-q", "-c", self.root / "mbsyncrc", "all"])

    def add(self, contents: Sequence[bytes]) -> None:
        """New messages; a Maildir has bare LF."""
        for folder in ("cur", "new", "tmp"):
            (self.maildir / folder).mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(contents):
            (self.maildir / "cur" / f"{number}.test:2,{('', 'S', 'FS', 'R')[number % 4]}").write_bytes(content)

    def files(self) -> list[Path]:
        """All messages."""
        return [path for folder in ("cur", "new") for path in (self.maildir / folder).iterdir()]

    def contents(self) -> collections.Counter[bytes]:
        """Their octets without mbsync's mark."""
        return collections.Counter(TUID.sub(b"", path.read_bytes()) for path in self.files())

    def flags(self, word: bytes) -> str:
        """The Maildir flags of the one message that holds `word`."""
        [path] = [path for path in self.files() if word in path.read_bytes()]
        return path.name.partition(":2,")[2]

    def mark(self, word: bytes, flags: str) -> None:
        """Set them."""
        [path] = [path for path in self.files() if word in path.read_bytes()]
        path.rename(self.maildir / "cur" / f"{path.name.partition(':')[0]}:2,{flags}")


def some_mail() -> list[bytes]:
    """Ordinary and odd messages, each different, with LF."""
    head = (
        b"From: a@example.org\nTo: b@example.org\nSubject: number %d\nMessage-ID: <%d@test>\n"
        b"Date: Mon, 2 Mar 2026 10:00:00 +0100\n"
    )
    bodies = [
        b"plain\n",
        b"",
        b"no newline at the end",
        b".\n..\n.leading dots\n",
        b"From here it looks like an mbox\n>From there too\n",
        "gr\u00fc\u00dfe, \u4f60\u597d\n".encode(),
        bytes(range(128, 256)) + b"\n",
        b"\x01\x02\x07\x0c\x1b\x7f control\n",
        b"x" * 5000 + b"\n",
        b"* 1 FETCH (FLAGS ())\n)\nA1 OK LOGOUT {10}\n",
        b"many lines\n" * 5000,
        b"\n\n\n",
        b" \t \n\t\n",
        os.urandom(200_000).hex().encode() + b"\n",
    ]
    mails = [head % (n, n) + b"\n" + body for n, body in enumerate(bodies)]
    # mbsync itself leaves out what has no empty line after its header.
    mails.append(b"\nno header at all, only text\n")
    mails.append(b"Subject: =?utf-8?q?broken\nSubject: twice\n: no name\nFrom nothing\n\nbody\n")
    boundary = b'Content-Type: multipart/mixed; boundary="b"\n\n'
    mails.append(head % (91, 91) + boundary + b"--b\n\none\n--b\nContent-Type: message/rfc822\n\nSubject: in\n\ntwo\n")
    mails.extend(head % (n, n) + b"\n" + b"filler %d\n" % n * (n % 17) for n in range(100, 200))
    return mails


@pytest.mark.parametrize("listener", ["imaps", "imap"])
def test_mbsync_pushes_and_pulls_byte_for_byte(server: Mailserver, tmp_path: Path, listener: str) -> None:
    mails = some_mail()
    one = Replica(server, tmp_path / "one", listener, f"Pushed-{listener}")
    two = Replica(server, tmp_path / "two", listener, f"Pushed-{listener}")
    one.add(mails)
    one.sync()
    two.sync()
    assert two.contents() == collections.Counter(mails)
    for word in (b"<0@test>", b"<100@test>", b"<101@test>", b"<102@test>", b"<103@test>"):
        assert two.flags(word) == one.flags(word)


def test_mbsync_carries_flags_and_deletions_between_two_replicas(server: Mailserver, tmp_path: Path) -> None:
    one = Replica(server, tmp_path / "one", "imaps", "Shared")
    two = Replica(server, tmp_path / "two", "imaps", "Shared")
    one.add([b"Subject: word%d\n\nbody of w%dw\n" % (n, n) for n in range(10)])
    one.sync()
    two.sync()
    two.mark(b"w3w", "FRS")
    two.mark(b"w4w", "ST")
    one.mark(b"w5w", "T")
    two.sync()
    one.sync()
    two.sync()
    assert one.flags(b"w3w") == two.flags(b"w3w") == "FRS"
    for replica in (one, two):
        assert sum(replica.contents().values()) == 8
        assert not any(b"w4w" in content or b"w5w" in content for content in replica.contents())


@pytest.mark.corpus
@pytest.mark.timeout(900)
def test_mbsync_pushes_and_pulls_a_corpus_of_real_mail(server: Mailserver, tmp_path: Path) -> None:
    corpus = os.environ.get("MAILRAVEN_CORPUS")
    if not corpus:
        pytest.skip("MAILRAVEN_CORPUS is not set")
    found = [path.read_bytes().replace(b"\r", b"") for path in sorted(Path(corpus).rglob("*")) if path.is_file()]
    # RFC 9051 §4.3: no NUL in a literal; mbsync leaves out what has no empty line after its header.
    mails = [content for content in found if b"\0" not in content and (b"\n\n" in content or content[:1] == b"\n")]
    one = Replica(server, tmp_path / "one", "imaps", "Corpus")
    two = Replica(server, tmp_path / "two", "imaps", "Corpus")
    one.add(mails)
    one.sync()
    two.sync()
    assert two.contents() == collections.Counter(mails)
