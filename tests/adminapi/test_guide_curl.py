"""The curl commands of the gomailserver deployment guide, as they are printed there, against a running server."""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mailraven.testing.running import RunningServer

GUIDE = r"""
#### Create Your First Domain

```bash
# Create domain from default template
curl -X POST http://localhost:8080/api/domains \
  -H "Authorization: Bearer your-admin-token" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "example.com",
    "use_default_template": true
  }'
```

#### Customize Domain Security Settings

```bash
# Update security configuration
curl -X PUT http://localhost:8080/api/domains/example.com/security \
  -H "Authorization: Bearer your-admin-token" \
  -H "Content-Type: application/json" \
  -d '{
    "dkim": {
      "signing_enabled": true,
      "key_size": 4096
    },
    "spam": {
      "reject_score": 12.0
    },
    "auth": {
      "totp_enforced": true
    }
  }'
```

### Get DKIM Public Key

```bash
curl -X GET http://localhost:8080/api/domains/example.com \
  -H "Authorization: Bearer your-admin-token" \
  | jq -r '.dkim_public_key'
```

### Health Checks

```bash
# API health check
curl http://localhost:8080/health
```

### Rate Limiting

```bash
curl -X PUT http://localhost:8080/api/domains/_default \
  -H "Authorization: Bearer your-admin-token" \
  -H "Content-Type: application/json" \
  -d '{
    "ratelimit_smtp_per_ip": "{\"count\":50,\"window_minutes\":60}",
    "ratelimit_auth_per_ip": "{\"count\":5,\"window_minutes\":15}"
  }'
```

### Add Additional Domains

```bash
# Domain 1
curl -X POST http://localhost:8080/api/domains \
  -H "Authorization: Bearer your-admin-token" \
  -H "Content-Type: application/json" \
  -d '{"name": "company1.com", "use_default_template": true}'

# Domain 2 with custom settings
curl -X POST http://localhost:8080/api/domains \
  -H "Authorization: Bearer your-admin-token" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "company2.com",
    "use_default_template": false,
    "domain": {
      "status": "active",
      "max_users": 50,
      "default_quota": 2147483648,
      "dkim_signing_enabled": true,
      "spf_enabled": true,
      "auth_totp_enforced": true
    }
  }'
```

### Per-Domain Security Policies

```bash
# Strict security for domain 1
curl -X PUT http://localhost:8080/api/domains/company1.com/security \
  -H "Authorization: Bearer your-admin-token" \
  -H "Content-Type: application/json" \
  -d '{
    "spam": {"reject_score": 8.0},
    "auth": {"totp_enforced": true},
    "greylist": {"enabled": true}
  }'

# Relaxed security for domain 2
curl -X PUT http://localhost:8080/api/domains/company2.com/security \
  -H "Authorization: Bearer your-admin-token" \
  -H "Content-Type: application/json" \
  -d '{
    "spam": {"reject_score": 15.0},
    "auth": {"totp_enforced": false},
    "greylist": {"enabled": false}
  }'
```

#### Admin API 401 Unauthorized

```bash
# Check authorization header format
curl -H "Authorization: Bearer your-token" http://localhost:8080/api/domains
```

1. Export user accounts:
```bash
# Via Admin API, create users for each domain
curl -X POST http://localhost:8080/api/users ...
```
"""

# The guide leaves out what stands for the dots.
USER = """ \\
  -H "Authorization: Bearer your-admin-token" \\
  -H "Content-Type: application/json" \\
  -d '{"email": "ann@company2.com", "password": "seven purple walruses sing", "full_name": "Ann"}'"""
JQ = "jq -r '.dkim_public_key'"
WITHOUT_JQ = """python3 -c 'import json, sys; print(json.load(sys.stdin)["dkim_public_key"])'"""


class Shell:
    """Runs the guide's blocks; an answer of 400 or more is a failure, as `curl --fail-with-body` has it."""

    def __init__(self, home: Path, url: str, token: str) -> None:
        self.url, self.token = url, token
        self._home = home
        (home / ".curlrc").write_text("silent\nshow-error\nfail-with-body\nnoproxy = *\n", encoding="utf-8")
        self.blocks = re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL)

    def run(self, number: int) -> list[Any]:
        """The answers of the block's commands: JSON, or a line of text."""
        script = self.blocks[number].replace("http://localhost:8080", self.url)
        script = script.replace(" ...", USER)
        script = re.sub(r"your-(admin-)?token", self.token, script)
        if shutil.which("jq") is None:
            script = script.replace(JQ, WITHOUT_JQ)
        # Between the commands of a block, so that their answers can be told apart.
        script = re.sub(r"\n(?=\n# )", "\nprintf '\\\\036'\n", script)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "HOME": str(self._home), "CURL_HOME": str(self._home)},
            check=False,
        )
        assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
        return [_parsed(answer.strip()) for answer in done.stdout.split("\x1e")]


def _parsed(answer: str) -> Any:
    return json.loads(answer) if answer.startswith(("{", "[")) else answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Fresh, with its first user."""
    with RunningServer(tmp_path_factory.mktemp("guide"), users=["first@example.test"], workers=1) as running:
        yield running


@pytest.fixture
def shell(server: RunningServer, tmp_path: Path) -> Shell:
    """With the address and the token of the server in the commands."""
    token = server.ready["admin_token"]
    return Shell(tmp_path, server.ready["http"]["url"], token)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_guide_from_its_first_to_its_last_command(shell: Shell) -> None:
    assert len(shell.blocks) == 9
    with httpx.Client(base_url=shell.url, headers={"Authorization": f"Bearer {shell.token}"}, trust_env=False) as http:
        _first_domain(shell, http)
        _limits_and_more_domains(shell, http)
        _policies_and_users(shell, http)


def _first_domain(shell: Shell, http: httpx.Client) -> None:
    [made] = shell.run(0)
    assert (made["name"], made["status"]) == ("example.com", "active")
    [security] = shell.run(1)
    assert (security["spam"]["reject_score"], security["auth"]["totp_enforced"]) == (12.0, True)
    shown = http.get("/api/domains/example.com").json()
    assert (shown["dkim_key_size"], shown["auth_totp_enforced"], shown["greylist_enabled"]) == (4096, True, False)
    [key] = shell.run(2)
    public = load_der_public_key(base64.b64decode(key, validate=True))
    assert isinstance(public, RSAPublicKey)
    assert public.key_size >= 2048
    [health] = shell.run(3)
    assert health["status"] in ("healthy", "degraded")


def _limits_and_more_domains(shell: Shell, http: httpx.Client) -> None:
    [template] = shell.run(4)
    assert template["name"] == "_default"
    assert template["ratelimit_smtp_per_ip"] == {"count": 50, "window_minutes": 60}
    shown = http.get("/api/domains/_default").json()
    assert shown["ratelimit_auth_per_ip"] == {"count": 5, "window_minutes": 15}
    assert shown["limits"]["auth_failures_per_ip"] == [{"count": 5, "window_minutes": 15}]
    # Set in the template only: the domain that was there keeps what it had.
    assert http.get("/api/v1/domains/example.com").json()["spec"].get("limits") is None
    one, two = shell.run(5)
    assert one["spec"] == {}
    assert one["limits"]["smtp_connections_per_ip"] == [{"count": 50, "window_minutes": 60}]
    expected = {
        "name": "company2.com",
        "status": "active",
        "max_users": 50,
        "default_quota": 2147483648,
        "dkim_signing_enabled": True,
        "spf_enabled": True,
        "auth_totp_enforced": True,
    }
    assert {name: two[name] for name in expected} == expected
    assert two["dkim_public_key"] != one["dkim_public_key"]


def _policies_and_users(shell: Shell, http: httpx.Client) -> None:
    strict, relaxed = shell.run(6)
    for security, expected in ((strict, (8.0, True, True)), (relaxed, (15.0, False, False))):
        got = (security["spam"]["reject_score"], security["auth"]["totp_enforced"], security["greylist"]["enabled"])
        assert got == expected
    assert http.get("/api/domains/company2.com/security").json() == relaxed
    [listed] = shell.run(7)
    assert [domain["name"] for domain in listed] == ["company1.com", "company2.com", "example.com", "example.test"]
    [user] = shell.run(8)
    assert (user["address"], user["email"], user["full_name"]) == ("ann@company2.com", "ann@company2.com", "Ann")
    assert (user["quota"], user["status"], user["has_password"]) == (2147483648, "active", True)
    assert http.put("/api/users/ann@company2.com", json={"status": "suspended", "quota": 5}).status_code == 200
    shown = http.get("/api/users/ann@company2.com").json()
    assert (shown["suspended"], shown["quota_bytes"], shown["full_name"]) == (True, 5, "Ann")
    assert [one["email"] for one in http.get("/api/users", params={"domain": "company2.com"}).json()] == [
        shown["email"]
    ]
    assert http.delete("/api/users/ann@company2.com").status_code == 204
    assert http.delete("/api/domains/company2.com").status_code == 204
    assert http.get("/api/domains/company2.com").status_code == 404
    refused = httpx.get(f"{shell.url}/api/domains", headers={"Authorization": "Bearer wrong"}, trust_env=False)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
