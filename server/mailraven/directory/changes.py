"""All changes of domains, accounts and aliases, inside the caller's transaction.

Each tells all processes with its commit: these are rare, so NOTIFY may stand in the transaction here.
"""

from mailraven.directory.accounts import (
    FIRST_MAILBOXES,
    create_account,
    delete_account,
    set_password_hash,
    set_quota,
    set_role,
    set_suspended,
)
from mailraven.directory.aliases import create_alias, delete_alias, put_alias
from mailraven.directory.domains import (
    create_domain,
    delete_domain,
    make_domain,
    patch_domain,
    put_domain,
    put_security,
    set_catch_all,
    set_domain_suspended,
)
from mailraven.directory.locks import CHANNEL, notify

__all__ = [
    "CHANNEL",
    "FIRST_MAILBOXES",
    "create_account",
    "create_alias",
    "create_domain",
    "delete_account",
    "delete_alias",
    "delete_domain",
    "make_domain",
    "notify",
    "patch_domain",
    "put_alias",
    "put_domain",
    "put_security",
    "set_catch_all",
    "set_domain_suspended",
    "set_password_hash",
    "set_quota",
    "set_role",
    "set_suspended",
]
