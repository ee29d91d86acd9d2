"""Restore: mail from a backup, once."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from mailraven_api.kubernetes.backup import IMMUTABLE, JobStatus
from mailraven_api.kubernetes.backup_target import Encryption, Target
from mailraven_api.kubernetes.meta import KubeModel, ObjectReference, Resource
from mailraven_api.kubernetes.names import DomainName, MailAddress
from mailraven_api.kubernetes.rule import rules
from mailraven_api.kubernetes.status import LenientStatus

_ONE_SOURCE = "expected either backupRef or target"
_KEY = "encryption belongs to target: a backupRef brings its own"
_ONE_PLACE = "expected at most one of domain and account"
_ACCOUNT_ONLY = "mailbox and into belong to account"
_PART = "mailbox, since and until need a mode or into: they go beside existing mail or are merged into it"
_WHOLE = (
    "without domain or account everything comes back, into an empty server: mailbox, since, until and mode do not fit"
)
_QUEUE = "releaseQueue belongs to the restore of everything: leave domain and account out"
_TIMES = "until has to be after since"


class RestoreSpec(KubeModel):
    """What comes back from which backup. It does not change.

    With neither `domain` nor `account` everything comes back, into an empty server.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                *IMMUTABLE["x-kubernetes-validations"],
                *rules(
                    ("has(self.backupRef) != has(self.target)", _ONE_SOURCE),
                    ("!has(self.encryption) || has(self.target)", _KEY, ".encryption"),
                    ("!(has(self.domain) && has(self.account))", _ONE_PLACE),
                    ("has(self.account) || !(has(self.mailbox) || has(self.into))", _ACCOUNT_ONLY, ".account"),
                    (
                        "has(self.mode) || has(self.into) "
                        "|| !(has(self.mailbox) || has(self.since) || has(self.until))",
                        _PART,
                        ".mode",
                    ),
                    (
                        "has(self.domain) || has(self.account) || !(has(self.mailbox) || has(self.since) "
                        "|| has(self.until) || has(self.mode))",
                        _WHOLE,
                    ),
                    (
                        "!(has(self.releaseQueue) && self.releaseQueue) || !(has(self.domain) || has(self.account))",
                        _QUEUE,
                        ".releaseQueue",
                    ),
                    ("!has(self.since) || !has(self.until) || self.until > self.since", _TIMES, ".until"),
                )["x-kubernetes-validations"],
            ]
        }
    )

    backup_ref: ObjectReference | None = None
    """A Backup resource of the same namespace."""
    target: Target | None = None
    """In its place: where the backups are."""
    encryption: Encryption | None = None
    """The key of the backups in `target`."""
    at: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """A backup in the target by its name, or the newest of a time. Not set: the newest, or that of the backupRef."""
    domain: DomainName | None = None
    """Only this domain."""
    account: MailAddress | None = None
    """Only this account."""
    mailbox: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """Of the account only this mailbox, and those below it."""
    since: datetime | None = None
    """Only mail that arrived since then."""
    until: datetime | None = None
    """Only mail that arrived before."""
    into: MailAddress | None = None
    """Give the mail of the account to another one."""
    mode: Literal["beside", "merge"] | None = None
    """For accounts that are there. beside: into new mailboxes, below "Restored DATE". merge: into the mailboxes of the
    same name; what they hold already is left out. Not set: such accounts are refused."""
    dry_run: bool = False
    """Only say what would come back."""
    release_queue: bool = False
    """Send what waited in the queue; else it is held."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        part = bool(self.mailbox or self.since or self.until)
        whole = self.domain is None and self.account is None
        for wrong, message in (
            ((self.backup_ref is None) == (self.target is None), _ONE_SOURCE),
            (self.encryption is not None and self.target is None, _KEY),
            (self.domain is not None and self.account is not None, _ONE_PLACE),
            (self.account is None and bool(self.mailbox or self.into), _ACCOUNT_ONLY),
            (part and self.mode is None and self.into is None, _PART),
            (whole and (part or self.mode is not None), _WHOLE),
            (self.release_queue and not whole, _QUEUE),
            (not self._times_fit(), _TIMES),
        ):
            if wrong:
                raise ValueError(message)
        return self

    def _times_fit(self) -> bool:
        for moment in (self.since, self.until):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("a time needs its offset from UTC, as in 2026-08-01T08:00:00+02:00")
        return self.since is None or self.until is None or self.until > self.since


class RestoreStatus(JobStatus):
    """Observed state of a restore: what came back."""

    domains: int | None = None
    """Domains that came back."""
    accounts: int | None = None
    """Accounts that came back, or got mail."""
    mailboxes: int | None = None
    """Mailboxes that came back, or got mail."""
    skipped: int | None = None
    """Messages that were there already."""


class Restore(Resource):
    """Mail from a backup, once."""

    KIND: ClassVar[str] = "Restore"

    kind: Literal["Restore"] = "Restore"
    spec: RestoreSpec
    status: LenientStatus[RestoreStatus] = RestoreStatus()
