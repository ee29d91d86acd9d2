"""What the directory can answer instead of a result; each daemon maps these to its wire form."""

from __future__ import annotations


class DirectoryError(Exception):
    """Parent of all; the text is meant for the person who asked."""


class DirectoryUnavailable(DirectoryError):
    """The database is away or the server is overloaded: temporary, the same request may succeed later."""


class AliasTooLarge(DirectoryUnavailable):
    """An alias expands too far. Temporary for the sender: no recipient is dropped in silence."""


class InvalidValue(DirectoryError, ValueError):
    """A name, quota or target list that cannot be stored."""


class AddressError(InvalidValue):
    """Not an address (RFC 5321 §4.1.2, RFC 6531 §3.3), not a domain, or one that cannot be used here."""


class WeakPassword(DirectoryError):
    """The password is too short, too long or holds characters that no client can send."""


class DomainExists(DirectoryError):
    """The domain is there already."""


class AccountExists(DirectoryError):
    """An account has this address already."""


class AliasExists(DirectoryError):
    """An alias has this address already."""


class TokenExists(DirectoryError):
    """A token of this name is there already."""


class NoSuchDomain(DirectoryError):
    """No such domain here."""


class NoSuchAccount(DirectoryError):
    """No such account here."""


class NoSuchAlias(DirectoryError):
    """No such alias here."""


class NoSuchToken(DirectoryError):
    """No token of this name."""


class VersionMismatch(DirectoryError):
    """It was changed since the caller read it (If-Match, RFC 9110 §13.1.1)."""


class NotEmpty(DirectoryError):
    """The domain or account still holds accounts or mail, and removing those was not asked for."""


class TooManyAccounts(DirectoryError):
    """The domain has as many accounts as it may have (max_users)."""


class NoSuchSenderRule(DirectoryError):
    """Nothing is set for this sender."""


class WrongCode(DirectoryError):
    """Not the code of the authenticator at this moment, or one that was used."""


class WrongPassword(DirectoryError):
    """Not the password that has to be given again before credentials change."""


class NotEnrolled(DirectoryError):
    """The account has no second factor, or none was begun."""


class AlreadyEnrolled(DirectoryError):
    """The account has a second factor; it is removed before another one is set."""


class AppPasswordExists(DirectoryError):
    """The account has an app password of this name."""


class NoSuchAppPassword(DirectoryError):
    """The account has no such app password."""
