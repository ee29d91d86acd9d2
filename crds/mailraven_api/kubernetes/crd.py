"""The CustomResourceDefinitions, as documents. Pure."""

from dataclasses import dataclass
from typing import Any

from mailraven_api.kubernetes.backup import Backup
from mailraven_api.kubernetes.backup_schedule import BackupSchedule
from mailraven_api.kubernetes.mail_domain import MailDomain
from mailraven_api.kubernetes.mail_user import MailUser
from mailraven_api.kubernetes.meta import GROUP, VERSION, Resource
from mailraven_api.kubernetes.rate_limit_policy import RateLimitPolicy
from mailraven_api.kubernetes.restore import Restore
from mailraven_api.kubernetes.schema import Schema, structural

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; those of priority 1 only with -o wide."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    description: str = ""

    @property
    def document(self) -> Document:
        """As the CRD has it."""
        found: Document = {"name": self.name, "type": self.type, "jsonPath": self.path}
        if self.priority:
            found["priority"] = self.priority
        return found


@dataclass(frozen=True, slots=True)
class Definition:
    """A kind: its model, its names, its columns."""

    model: type[Resource]
    plural: str
    short: str
    columns: tuple[Column, ...]

    @property
    def kind(self) -> str:
        """As documents have it."""
        return self.model.KIND

    @property
    def name(self) -> str:
        """Of the CRD."""
        return f"{self.plural}.{GROUP}"

    @property
    def schema(self) -> Schema:
        """Of a whole object."""
        found = structural(self.model)
        properties = found["properties"]
        properties["apiVersion"] = {"type": "string"}
        properties["kind"] = {"type": "string"}
        # The length is Kubernetes' own: said here, it bounds the cost of rules about the name.
        properties["metadata"] = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 253}}}
        properties["status"].pop("default", None)
        properties["spec"].pop("default", None)
        found["required"] = ["spec"] if "spec" in found.get("required", ()) else []
        if not found["required"]:
            del found["required"]
        return found

    @property
    def document(self) -> Document:
        """The CustomResourceDefinition."""
        version = {
            "name": VERSION,
            "served": True,
            "storage": True,
            "subresources": {"status": {}},
            "additionalPrinterColumns": [column.document for column in self.columns],
            "schema": {"openAPIV3Schema": self.schema},
        }
        names = {
            "kind": self.kind,
            "listKind": f"{self.kind}List",
            "plural": self.plural,
            "singular": self.kind.lower(),
            "shortNames": [self.short],
            "categories": ["mailraven"],
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.name},
            "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
        }


def _condition(name: str, condition: str, field: str = "status", priority: int = 0) -> Column:
    return Column(name, f'.status.conditions[?(@.type=="{condition}")].{field}', priority=priority)


_READY = _condition("Ready", "Ready")
_REASON = _condition("Reason", "Ready", "reason", priority=1)
_AGE = Column("Age", ".metadata.creationTimestamp", "date")

DEFINITIONS = (
    Definition(
        MailDomain,
        "maildomains",
        "md",
        (
            _READY,
            Column("Domain", ".status.domain"),
            Column("Users", ".status.users", "integer"),
            _condition("DNS", "DNSReady"),
            Column("Cert", ".status.certificate.notAfter"),  # a string: kubectl shows no date that is to come
            _REASON,
            _AGE,
        ),
    ),
    Definition(
        MailUser,
        "mailusers",
        "mu",
        (
            _READY,
            Column("Address", ".spec.address"),
            Column("Quota", ".status.quotaBytes", "integer"),
            Column("Used", ".status.usedBytes", "integer"),
            _REASON,
            _AGE,
        ),
    ),
    Definition(
        RateLimitPolicy,
        "ratelimitpolicies",
        "rlp",
        (
            Column("Scope", ".spec.scope"),
            Column("Event", ".spec.event"),
            Column("Matched", ".status.matched", "integer"),
            _READY,
            _REASON,
            _AGE,
        ),
    ),
    Definition(
        BackupSchedule,
        "backupschedules",
        "bs",
        (
            Column("Schedule", ".spec.schedule"),
            Column("Suspend", ".spec.suspend", "boolean"),
            Column("Last", ".status.lastScheduleTime", "date"),
            Column("Success", ".status.lastSuccessTime", "date"),
            Column("Next", ".status.nextScheduleTime"),
            _READY,
            _REASON,
            _AGE,
        ),
    ),
    Definition(
        Backup,
        "backups",
        "mbk",
        (
            Column("Phase", ".status.phase"),
            Column("Backup", ".status.backupName"),
            Column("Messages", ".status.messages", "integer"),
            Column("Bytes", ".status.bytes", "integer"),
            _REASON,
            _AGE,
        ),
    ),
    Definition(
        Restore,
        "restores",
        "mrs",
        (
            Column("Phase", ".status.phase"),
            Column("Backup", ".status.backupName"),
            Column("Messages", ".status.messages", "integer"),
            _REASON,
            _AGE,
        ),
    ),
)
"""All kinds, in the order in which their objects have to be made."""


def crds() -> list[Document]:
    """The CRDs of all kinds."""
    return [definition.document for definition in DEFINITIONS]
