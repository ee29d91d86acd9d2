"""Records what a Dovecot says of the corpus: ENVELOPE and BODYSTRUCTURE of each message, as they come.

By hand, against a Dovecot with an empty mailbox, with MAILRAVEN_CORPUS set:
python tests/message/record_dovecot.py PORT LOGIN PASSWORD. The test needs only the file this writes.
"""

import json
import lzma
import re
import socket
import sys
from pathlib import Path

from mailraven.testing.corpus import corpus_messages, corpus_path

RECORDED = Path(__file__).parents[1] / "data" / "dovecot-spamassassin.json.xz"
FETCHED = re.compile(rb"\* (\d+) FETCH \(ENVELOPE (.*) BODYSTRUCTURE (.*)\)\r\n\Z", re.DOTALL)


class Dialogue:
    """As much IMAP as this needs: octets as they are, literals included."""

    def __init__(self, port: int) -> None:
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=60).makefile("rwb")
        self.stream.readline()

    def ask(self, command: bytes) -> list[bytes]:
        self.stream.write(b"a " + command + b"\r\n")
        self.stream.flush()
        responses = []
        while not (response := self.response()).startswith(b"a "):
            responses.append(response)
        if not response.startswith(b"a OK"):
            raise SystemExit(response.decode())
        return responses

    def response(self) -> bytes:
        response = self.stream.readline()
        while literal := re.search(rb"\{(\d+)\}\r\n\Z", response):
            response += self.stream.read(int(literal[1])) + self.stream.readline()
        return response


def main(port: str, login: str, password: str) -> None:
    path = corpus_path()
    if path is None:
        raise SystemExit("MAILRAVEN_CORPUS names no file")
    dialogue = Dialogue(int(port))
    dialogue.ask(f"LOGIN {login} {password}".encode())
    names = []
    for name, raw in corpus_messages(path):
        dialogue.ask(b"APPEND INBOX {%d+}\r\n" % len(raw) + raw)
        names.append(name)
    dialogue.ask(b"EXAMINE INBOX")
    answers = {}
    for response in dialogue.ask(b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)"):
        if fetched := FETCHED.match(response):
            answers[names[int(fetched[1]) - 1]] = [part.decode("latin-1") for part in fetched.groups()[1:]]
    if list(answers) != names:
        raise SystemExit("the mailbox was not empty")
    RECORDED.write_bytes(lzma.compress(json.dumps(answers, indent=0).encode(), preset=9))


if __name__ == "__main__":
    main(*sys.argv[1:])
