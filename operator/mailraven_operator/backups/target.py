"""What a pod needs to reach the place of the backups: arguments, variables, volumes. Secrets by reference only."""

import re
from dataclasses import dataclass
from typing import Any

from mailraven_api.kubernetes.backup_target import ClaimTarget, Encryption, S3Target, Target
from mailraven_operator.outcome import invalid_spec

MOUNT = "/backup"
KEY_DIRECTORY = "/run/mailraven/backup-key"
_TARGET_VOLUME = "mailraven-backup-target"
_KEY_VOLUME = "mailraven-backup-key"
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_S3 = "MAILRAVEN_BACKUP__S3__"


@dataclass(frozen=True)
class Attachment:
    """Added to a command and its pod."""

    arguments: tuple[str, ...] = ()
    env: tuple[dict[str, Any], ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()

    def __add__(self, other: "Attachment") -> "Attachment":
        return Attachment(
            self.arguments + other.arguments,
            self.env + other.env,
            self.volumes + other.volumes,
            self.mounts + other.mounts,
        )


@dataclass(frozen=True)
class SecretUse:
    """A Secret that has to be there, with these keys, before a pod can start."""

    field: str
    name: str
    keys: tuple[str, ...]


def attach(target: Target, encryption: Encryption | None) -> Attachment:
    """Raises Problem."""
    place = _s3(target.s3) if target.s3 else _claim(target.persistent_volume_claim)
    return place + _key(encryption)


def secrets_of(target: Target, encryption: Encryption | None) -> tuple[SecretUse, ...]:
    """Those that the spec names."""
    found = []
    if target.s3 and (keys := target.s3.credentials_secret_ref):
        field = "spec.target.s3.credentialsSecretRef"
        found.append(SecretUse(field, keys.name, (keys.access_key_key, keys.secret_key_key)))
    if encryption:
        found.append(SecretUse("spec.encryption.secretRef", encryption.secret_ref.name, (encryption.secret_ref.key,)))
    return tuple(found)


def _s3(target: S3Target) -> Attachment:
    segments = [one for one in target.prefix.split("/") if one]
    if not all(_SEGMENT.fullmatch(one) for one in segments):
        text = "between slashes only letters, digits, dots, - and _ are taken, and a letter or digit first"
        raise invalid_spec("spec.target.s3.prefix", text)
    env: list[dict[str, Any]] = []
    if target.endpoint:
        # Without an endpoint of its own the service is that of the blobs, with TLS or not.
        env.append({"name": f"{_S3}ENDPOINT", "value": target.endpoint})
        env.append({"name": f"{_S3}SECURE", "value": "true" if target.secure else "false"})
    if target.region:
        env.append({"name": f"{_S3}REGION", "value": target.region})
    if keys := target.credentials_secret_ref:
        env.append({"name": f"{_S3}CREDENTIALS", "value": "keys"})
        env.append(_from_secret("ACCESS_KEY", keys.name, keys.access_key_key))
        env.append(_from_secret("SECRET_KEY", keys.name, keys.secret_key_key))
    return Attachment(("--target", "/".join([f"s3://{target.bucket}", *segments])), env=tuple(env))


def _from_secret(variable: str, name: str, key: str) -> dict[str, Any]:
    return {"name": f"{_S3}{variable}", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def _claim(target: ClaimTarget | None) -> Attachment:
    if target is None:
        raise invalid_spec("spec.target", "expected either s3 or persistentVolumeClaim")
    mount: dict[str, Any] = {"name": _TARGET_VOLUME, "mountPath": MOUNT}
    if target.sub_path:
        mount["subPath"] = target.sub_path
    volume = {"name": _TARGET_VOLUME, "persistentVolumeClaim": {"claimName": target.claim_name}}
    return Attachment(("--target", MOUNT), volumes=(volume,), mounts=(mount,))


def _key(encryption: Encryption | None) -> Attachment:
    if encryption is None:
        return Attachment()
    reference = encryption.secret_ref
    volume = {
        "name": _KEY_VOLUME,
        "secret": {"secretName": reference.name, "items": [{"key": reference.key, "path": "key"}]},
    }
    mount = {"name": _KEY_VOLUME, "mountPath": KEY_DIRECTORY, "readOnly": True}
    return Attachment(("--key-file", f"{KEY_DIRECTORY}/key"), volumes=(volume,), mounts=(mount,))
