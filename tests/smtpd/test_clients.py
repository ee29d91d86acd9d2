"""Real clients: swaks with STARTTLS and AUTH, smtplib with TLS."""

from __future__ import annotations

import asyncio
import shutil
import smtplib
from email.message import EmailMessage

import pytest

JANE, JOHN, PASSWORD = "jane@example.org", "john@example.org", "correct horse battery"


@pytest.mark.clients
@pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_swaks_submits_with_starttls_and_auth(submission, mechanism):
    arguments = {
        "--server": f"127.0.0.1:{submission.port}",
        "--from": JANE,
        "--to": f"{JOHN},someone@foreign.example",
        "--auth": mechanism,
        "--auth-user": JANE,
        "--auth-password": PASSWORD,
        "--body": "a line\\n.\\n..two dots\\n",
    }
    process = await asyncio.create_subprocess_exec(
        "swaks",
        "--tls",
        "--pipeline",
        *(word for pair in arguments.items() for word in pair),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, out.decode(errors="replace")
    (message,) = await submission.messages(JOHN)
    assert b"with ESMTPSA id" in message
    assert b"\r\na line\r\n.\r\n..two dots\r\n" in message
    assert [row[1] for row in await submission.queued()] == ["someone@foreign.example"]


async def test_smtplib_submits_over_implicit_tls(submission):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = JANE, JOHN, "Grüße"
    message.set_content("ä\n.\n")

    def send() -> None:
        with smtplib.SMTP_SSL("localhost", submission.tls_port, context=submission.client_tls) as client:
            client.login(JANE, PASSWORD)
            client.send_message(message)

    await asyncio.to_thread(send)
    (stored,) = await submission.messages(JOHN)
    assert b"with ESMTPSA id" in stored
