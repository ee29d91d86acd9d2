"""The objects that a MailDomain has in its namespace, as documents for server-side apply. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from mailraven_api.kubernetes import API_VERSION, MailDomain

Document = dict[str, Any]
_CERTIFICATE_ANNOTATION = "cert-manager.io/certificate-name"
_LABELS = {
    "app.kubernetes.io/managed-by": "mailraven-operator",
    "app.kubernetes.io/part-of": "mailraven",
}
_NAME_MAX = 253


def tls_name(resource: MailDomain) -> str:
    """Of the Certificate and of the Secret that has what was issued."""
    return f"{resource.metadata.name[: _NAME_MAX - len('-tls')].rstrip('-.')}-tls"


def certificate_document(resource: MailDomain, names: Sequence[str]) -> Document:
    """The request to cert-manager. `tls.issuerRef` is set."""
    issuer = resource.spec.tls.issuer_ref
    assert issuer is not None  # noqa: S101 - the caller has looked
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": _metadata(resource),
        "spec": {
            "secretName": tls_name(resource),
            "secretTemplate": {"labels": dict(_LABELS)},
            "issuerRef": {"name": issuer.name, "kind": issuer.kind, "group": issuer.group},
            "dnsNames": list(names),
            # What the server serves: every mail client knows P-256; a renewal has a key of its own.
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "usages": ["digital signature", "server auth"],
        },
    }


def secret_document(resource: MailDomain, data: Mapping[str, str]) -> Document:
    """The Secret of a self-signed certificate."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(resource),
        "type": "kubernetes.io/tls",
        "data": dict(data),
    }


def is_child(document: Mapping[str, Any], resource: MailDomain) -> bool:
    """Whether the resource is the object's owner: nobody else's object is ever changed."""
    owners = document["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == resource.metadata.uid for owner in owners)


def is_issued_for(secret: Mapping[str, Any], certificate: str) -> bool:
    """Whether cert-manager made the Secret for that Certificate."""
    annotations = secret["metadata"].get("annotations") or {}
    return annotations.get(_CERTIFICATE_ANNOTATION) == certificate


def _metadata(resource: MailDomain) -> Document:
    return {
        "name": tls_name(resource),
        "namespace": resource.metadata.namespace,
        "labels": dict(_LABELS),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": MailDomain.KIND,
                "name": resource.metadata.name,
                "uid": resource.metadata.uid,
                "controller": True,
            }
        ],
    }
