"""What is wrong with a certificate or key, in words for the person who installed it."""


class TlsError(Exception):
    """A certificate or key that cannot be used; the text names the file."""
