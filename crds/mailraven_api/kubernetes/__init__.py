"""Custom resources as documents: what `kubectl apply` and `mailraven apply` take."""

from mailraven_api.kubernetes.backup import Backup, BackupSpec, BackupStatus
from mailraven_api.kubernetes.backup_schedule import BackupSchedule, BackupScheduleSpec, BackupScheduleStatus
from mailraven_api.kubernetes.mail_domain import MailDomain, MailDomainSpec, MailDomainStatus
from mailraven_api.kubernetes.mail_user import MailUser, MailUserSpec, MailUserStatus
from mailraven_api.kubernetes.meta import (
    API_VERSION,
    FINALIZER,
    GROUP,
    PAUSE_ANNOTATION,
    VERSION,
    Condition,
    ObjectMeta,
    Resource,
    explain,
    problem,
)
from mailraven_api.kubernetes.names import address_key, domain_of
from mailraven_api.kubernetes.rate_limit_policy import RateLimitPolicy, RateLimitPolicySpec, RateLimitPolicyStatus
from mailraven_api.kubernetes.restore import Restore, RestoreSpec, RestoreStatus

__all__ = [
    "API_VERSION",
    "FINALIZER",
    "GROUP",
    "PAUSE_ANNOTATION",
    "VERSION",
    "Backup",
    "BackupSchedule",
    "BackupScheduleSpec",
    "BackupScheduleStatus",
    "BackupSpec",
    "BackupStatus",
    "Condition",
    "MailDomain",
    "MailDomainSpec",
    "MailDomainStatus",
    "MailUser",
    "MailUserSpec",
    "MailUserStatus",
    "ObjectMeta",
    "RateLimitPolicy",
    "RateLimitPolicySpec",
    "RateLimitPolicyStatus",
    "Resource",
    "Restore",
    "RestoreSpec",
    "RestoreStatus",
    "address_key",
    "domain_of",
    "explain",
    "problem",
]
