"""Backup and restore of an instance: content-addressed packs in a directory or an S3 bucket (docs/backup.md)."""
