"""MailRaven: a mail server whose whole state is in Postgres and a blob store."""

__version__ = "0.1.0"
