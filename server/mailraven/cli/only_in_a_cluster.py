"""What manifests may say that only a cluster can do: it is read and checked, and a note says what to do instead."""

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from mailraven_api.kubernetes import Resource

SKIPPED = {
    "BackupSchedule": "let cron or a systemd timer run `mailraven backup create`, with backup.* in the settings",
    "Backup": "run `mailraven backup create`",
    "Restore": "run `mailraven restore`",
}
"""Kinds that are left out, and what to do instead."""
_Table = dict[tuple[str, ...], str]
_OF_A_DOMAIN: _Table = {
    ("security", "dkim", "selector_prefix"): "name selectors with `mailraven dkim create --selector`",
    ("security", "dkim", "rotation_days"): "`mailraven dkim rotate` changes keys",
    ("tls", "issuer_ref"): "bring the certificate with `mailraven ssl upload`",
    ("tls", "secret_ref"): "its Secret is not in the files: bring the certificate with `mailraven ssl upload`",
    ("tls", "self_signed"): "a host without a certificate makes its own",
    ("tls", "dns_names"): "they belong to issuerRef and selfSigned",
    ("allowed_namespaces",): "",
    ("reclaim_policy",): "`mailraven delete` never deletes mail",
}
_OF_A_USER: _Table = {
    ("generated_secret",): "set a password with `mailraven user passwd`",
    ("app_passwords",): "make them with `mailraven user app-password add`",
    ("reclaim_policy",): "`mailraven delete` never deletes mail",
}

_TABLES = {"MailDomain": _OF_A_DOMAIN, "MailUser": _OF_A_USER}


def fields(resource: Resource, *, in_files: bool) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path below `spec` and advice for each field that was set and means nothing here. `in_files`: the Secret that
    the resource names is there."""
    table = _TABLES.get(resource.kind, {})
    for path, advice in table.items():
        if _is_set(resource, ("spec", *path)) and not (in_files and path == ("tls", "secret_ref")):
            yield tuple(to_camel(name) for name in path), advice


def _is_set(model: BaseModel, path: tuple[str, ...]) -> bool:
    name, *rest = path
    if name not in model.model_fields_set:
        return False
    value = getattr(model, name)
    if not rest:
        return value not in (None, False, ())
    return isinstance(value, BaseModel) and _is_set(value, tuple(rest))
