"""What a secret is sealed for: a sealed value moved to another row does not open there."""


def certificate_purpose(name: str) -> str:
    """The private key of the certificate `name`."""
    return f"certificate {name}"


def dkim_purpose(domain_id: int, selector: str) -> str:
    """The private DKIM key `selector` of a domain."""
    return f"dkim {domain_id} {selector}"


def totp_purpose(account_id: int) -> str:
    """The TOTP secret of an account."""
    return f"totp {account_id}"
