"""Which backup a Restore takes, and where it is."""

from dataclasses import dataclass

from mailraven_api.kubernetes import Restore
from mailraven_api.kubernetes.backup_target import Encryption, Target
from mailraven_operator.backups.target import SecretUse, secrets_of
from mailraven_operator.outcome import Problem
from mailraven_operator.world import World


@dataclass(frozen=True)
class Source:
    """`at`: its name, or a time; None: the newest."""

    target: Target
    encryption: Encryption | None
    at: str | None

    @property
    def secrets(self) -> tuple[SecretUse, ...]:
        """Those that the Job needs."""
        return secrets_of(self.target, self.encryption)


def source_of(world: World, resource: Restore) -> Source:
    """Raises Problem: a Backup that is not there, not done, or failed."""
    spec = resource.spec
    if spec.backup_ref is None:
        assert spec.target is not None  # noqa: S101 - one of the two is there
        return Source(spec.target, spec.encryption, spec.at)
    name = spec.backup_ref.name
    backup = world.backups.get((resource.metadata.namespace, name))
    if backup is None:
        raise Problem("BackupNotFound", f"spec.backupRef: there is no Backup {name} in this namespace")
    if backup.status.phase == "Failed":
        raise Problem("BackupFailed", f"spec.backupRef: the Backup {name} failed", retry=False)
    if backup.status.phase != "Succeeded":
        raise Problem("BackupNotReady", f"spec.backupRef: the Backup {name} is not done", retry=False)
    return Source(backup.spec.target, backup.spec.encryption, spec.at or backup.status.backup_name)
