"""The Secrets that a MailUser has made for it: what is in them, and the passwords themselves. Pure but for chance."""

import base64
import binascii
import hashlib
import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mailraven_api.kubernetes import API_VERSION, MailUser

Document = dict[str, Any]
MANAGED_BY = {"app.kubernetes.io/managed-by": "mailraven-operator", "app.kubernetes.io/part-of": "mailraven"}
APP_PASSWORD_ANNOTATION = "mailraven.io/app-password-id"  # noqa: S105 - a name
PASSWORD_KEY = "password"  # noqa: S105 - a name
_ALPHABET = string.ascii_letters + string.digits  # no character that a URL, a shell or a form would mangle
_LENGTH = 32  # 190 bits
_SUBMISSIONS = 465  # RFC 8314 §3.3: TLS from the first octet


@dataclass(frozen=True)
class Hosts:
    """Where mail programs of the user connect to."""

    host: str
    imap_port: int
    smtp_port: int


@dataclass(frozen=True)
class SecretState:
    """A Secret as it was read. `password`: empty where there is none."""

    version: str
    """uid/resourceVersion."""
    owned: bool
    """It was made for this MailUser."""
    password: str
    app_password_id: int | None
    data: Mapping[str, str]
    """As it is stored, base64."""


def make_password(least: int = 0) -> str:
    """Of at least so many characters."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(max(_LENGTH, least)))


def read_secret(document: Mapping[str, Any], uid: str, version: str, key: str = PASSWORD_KEY) -> SecretState:
    """`uid`: of the MailUser. A password that is no UTF-8 counts as none."""
    metadata = document["metadata"]
    data = {str(name): str(value) for name, value in (document.get("data") or {}).items()}
    number = (metadata.get("annotations") or {}).get(APP_PASSWORD_ANNOTATION, "")
    return SecretState(
        version=version,
        owned=is_made_for(metadata, uid),
        password=_text(data.get(key, "")),
        app_password_id=int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else None,
        data=data,
    )


def is_made_for(metadata: Mapping[str, Any], uid: str) -> bool:
    """Whether the object belongs to the resource with this uid."""
    return bool(uid) and any(owner.get("uid") == uid for owner in metadata.get("ownerReferences") or ())


def contents(address: str, password: str, hosts: Hosts, protocols: frozenset[str]) -> dict[str, str]:
    """All that a program needs, as plain text."""
    found = {"username": address, PASSWORD_KEY: password}
    user = f"{quote(address, safe='')}:{quote(password, safe='')}@{hosts.host}"
    if "imap" in protocols:
        found |= {"imap-host": hosts.host, "imap-port": str(hosts.imap_port)}
        found["imap-url"] = f"imaps://{user}:{hosts.imap_port}"
    if "smtp" in protocols:
        found |= {"smtp-host": hosts.host, "smtp-port": str(hosts.smtp_port)}
        scheme = "smtps" if hosts.smtp_port == _SUBMISSIONS else "smtp"
        found["smtp-url"] = f"{scheme}://{user}:{hosts.smtp_port}"
    return found


def secret_document(
    user: MailUser, name: str, plain: Mapping[str, str], app_password_id: int | None = None
) -> Document:
    """For the API server. It goes when the MailUser goes."""
    metadata: Document = {
        "name": name,
        "namespace": user.metadata.namespace,
        "labels": dict(MANAGED_BY),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": MailUser.KIND,
                "name": user.metadata.name,
                "uid": user.metadata.uid,
                "controller": True,
            }
        ],
    }
    if app_password_id is not None:
        metadata["annotations"] = {APP_PASSWORD_ANNOTATION: str(app_password_id)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": encoded(plain)}


def encoded(plain: Mapping[str, str]) -> dict[str, str]:
    """As a Secret's data."""
    return {name: base64.b64encode(text.encode()).decode() for name, text in plain.items()}


def print_of(address: str, hosts: Hosts, protocols: frozenset[str]) -> str:
    """Of everything that is in the Secret beside the password: it has to be written anew when this differs."""
    content = json.dumps([address, hosts.host, hosts.imap_port, hosts.smtp_port, sorted(protocols)])
    return hashlib.sha256(content.encode()).hexdigest()


def _text(encoded_value: str) -> str:
    """Without the line end that `echo` and editors leave."""
    try:
        return base64.b64decode(encoded_value, validate=True).decode().rstrip("\r\n")
    except (binascii.Error, ValueError):
        return ""
