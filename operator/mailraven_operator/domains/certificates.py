"""Gets a domain's certificate to the server: from cert-manager, from a Secret of the user, or made here."""

import hashlib
from collections.abc import Mapping
from typing import Any

from mailraven_api.kubernetes import MailDomain
from mailraven_operator.context import Context
from mailraven_operator.domains import self_signed
from mailraven_operator.domains.certificate_names import denied_names, wanted_names
from mailraven_operator.domains.certificate_plan import (
    Deny,
    Plan,
    Served,
    Source,
    Trouble,
    denial,
    plan_certificate,
    refused,
)
from mailraven_operator.domains.children import (
    certificate_document,
    is_child,
    is_issued_for,
    secret_document,
    tls_name,
)
from mailraven_operator.domains.ownership import OwnerOf, owners_of
from mailraven_operator.domains.tls_secret import Pair, UnusableSecret, read_pair
from mailraven_operator.kube import CERTIFICATES, SECRETS, KubeError, KubeUnavailable
from mailraven_operator.outcome import ConditionValue
from mailraven_operator.server import ServerRefused, path

_NAME_MAX = 253  # of the server's certificate store
_PASSING_SECONDS = 30.0


class CertificateReport:
    """What came of it: for the status."""

    def __init__(self, plan: Plan, condition: ConditionValue, status: dict[str, Any] | None) -> None:
        self.condition = condition
        self.status = status
        self.requeue_after = _PASSING_SECONDS if plan.passing else None


def store_name(resource: MailDomain) -> str:
    """What the server's store calls the resource's certificate. A namespace has no dots, so no two are the same."""
    name = f"maildomain.{resource.metadata.namespace}.{resource.metadata.name}"
    if len(name) <= _NAME_MAX:
        return name
    return f"maildomain.{hashlib.sha256(name.encode()).hexdigest()}"


async def settle(context: Context, resource: MailDomain) -> CertificateReport:
    """Compares and acts. Raises what the two APIs raise when they are away."""
    reserved = _reserved(context, resource)
    deny = _judge(resource, owners_of(context.world), reserved)
    source = await _find(context, resource, deny, reserved)
    wants_one = resource.spec.tls.issuer_ref is not None and source.secret_name is not None
    await _remove_certificate(context, resource, unless=wants_one)
    where = path("certificates", store_name(resource))
    found = await context.server.read(where)
    served = None if found is None else Served.of(found[0])
    plan = plan_certificate(source, served, deny, context.clock())
    condition = plan.condition
    if plan.upload is not None:
        try:
            served = Served.of(await context.server.put(where, plan.upload.upload()))
        except ServerRefused as error:
            condition = refused(error.detail or error.title)
    elif plan.remove:
        await context.server.delete(where)
        served = None
    return CertificateReport(plan, condition, _status(source, served))


async def withdraw(context: Context, resource: MailDomain) -> None:
    """The resource goes: its certificate leaves the server, and cert-manager renews it no more."""
    await context.server.delete(path("certificates", store_name(resource)))
    await _remove_certificate(context, resource)


def _status(source: Source, served: Served | None) -> dict[str, Any] | None:
    if served is None:
        return None
    return {
        "secretName": source.secret_name,
        "fingerprint": served.fingerprint,
        "names": list(served.names),
        "notAfter": served.not_after.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _reserved(context: Context, resource: MailDomain) -> str:
    """The host name of the server, where it is not the resource's to have."""
    settings = context.settings
    return "" if resource.metadata.namespace == settings.namespace else settings.mail_host.lower().rstrip(".")


def _judge(resource: MailDomain, owner_of: OwnerOf, reserved: str) -> Deny:
    return lambda names: denied_names(names, resource, owner_of, reserved)


async def _find(context: Context, resource: MailDomain, deny: Deny, reserved: str) -> Source:
    tls = resource.spec.tls
    if tls.secret_ref is not None:
        return await _own_secret(context, resource, tls.secret_ref.name)
    if tls.issuer_ref is None and not tls.self_signed:
        return Source()
    names, name = wanted_names(resource, reserved), tls_name(resource)
    if not names:
        return Source(why_none=f"The certificate of {reserved} comes with the server itself.")
    denied = deny(names)
    if denied:
        return Source(name, trouble=Trouble("NameNotAllowed", f"spec.tls: {denial(denied)}"))
    if tls.self_signed:
        return await _self_signed(context, resource, names)
    return await _issued(context, resource, names)


async def _own_secret(context: Context, resource: MailDomain, name: str) -> Source:
    secret = await context.kube.get(SECRETS, resource.metadata.namespace, name)
    if secret is None:
        return Source(name, trouble=Trouble("SecretNotFound", f"There is no Secret {name}."), gone=True)
    try:
        pair = read_pair(secret)
    except UnusableSecret as error:
        return Source(name, trouble=Trouble("InvalidSecret", f"The Secret {name} cannot be used: {error}."))
    expected = tuple(one.lower().rstrip(".") for one in resource.spec.tls.dns_names)
    return Source(name, pair, expected=expected)


async def _self_signed(context: Context, resource: MailDomain, names: tuple[str, ...]) -> Source:
    name = tls_name(resource)
    secret = await context.kube.get(SECRETS, resource.metadata.namespace, name)
    if secret is not None and not is_child(secret, resource):
        return Source(name, trouble=_taken("Secret", name))
    if secret is None or not self_signed.is_current(secret, names, context.clock()):
        secret = secret_document(resource, self_signed.make_data(names, context.clock()))
        await context.kube.apply(secret)
    return Source(name, read_pair(secret))


async def _issued(context: Context, resource: MailDomain, names: tuple[str, ...]) -> Source:
    name, namespace = tls_name(resource), resource.metadata.namespace
    certificate = await context.kube.get(CERTIFICATES, namespace, name)
    if certificate is not None and not is_child(certificate, resource):
        return Source(name, trouble=_taken("Certificate", name))
    secret = await context.kube.get(SECRETS, namespace, name)
    issued = secret is not None and is_issued_for(secret, name)
    if secret is not None and not issued and not is_child(secret, resource):
        return Source(name, trouble=_taken("Secret", name))  # cert-manager would overwrite it
    trouble = await _request(context, resource, names)
    if secret is None or not issued:
        return Source(name, trouble=trouble or _pending(certificate))
    try:
        pair = read_pair(secret)
    except UnusableSecret:
        return Source(name, trouble=trouble or _pending(certificate))
    return Source(name, pair, trouble or _other_names(pair, names), expected=names)


async def _request(context: Context, resource: MailDomain, names: tuple[str, ...]) -> Trouble | None:
    try:
        await context.kube.apply(certificate_document(resource, names))
    except KubeError as error:
        if error.status == 404:
            message = "This cluster has no Certificates of cert-manager.io/v1: install cert-manager."
            return Trouble("CertManagerNotInstalled", message, passing=True)
        return Trouble("CertificateNotRequested", f"The Certificate cannot be made: {error.message}")
    except KubeUnavailable as error:  # perhaps only cert-manager's webhook, while it starts
        return Trouble("CertificatePending", f"The Certificate cannot be made now: {error}", passing=True)
    return None


def _other_names(pair: Pair, names: tuple[str, ...]) -> Trouble | None:
    if set(names) <= set(pair.names):
        return None
    return Trouble("CertificatePending", "cert-manager has not issued the certificate for the new names yet.", True)


def _pending(certificate: Mapping[str, Any] | None) -> Trouble:
    """In cert-manager's words where it has some."""
    conditions = ((certificate or {}).get("status") or {}).get("conditions") or ()
    words = next((str(one.get("message", "")) for one in conditions if one.get("type") == "Ready"), "")
    return Trouble("CertificatePending", words or "Waiting for cert-manager to issue the certificate.", True)


def _taken(kind: str, name: str) -> Trouble:
    message = f"There is a {kind} {name} already that is not this resource's. It is left alone: remove or rename it."
    return Trouble("NameTaken", message)


async def _remove_certificate(context: Context, resource: MailDomain, *, unless: bool = False) -> None:
    """Only where one was seen: a cluster without cert-manager is not asked each time."""
    key = resource.metadata.namespace, tls_name(resource)
    if unless or context.world.version(CERTIFICATES.kind, key) is None:
        return
    certificate = await context.kube.get(CERTIFICATES, *key)
    if certificate is not None and is_child(certificate, resource):
        await context.kube.delete(CERTIFICATES, *key, uid=certificate["metadata"]["uid"])
