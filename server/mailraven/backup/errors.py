"""What can be wrong with a backup; the texts are for the person who runs it."""


class BackupError(Exception):
    """Parent of all."""


class TargetUnavailable(BackupError):
    """The target cannot be reached, is full or refuses: nothing that was there is changed."""


class TargetUnusable(BackupError):
    """The target cannot be written to until somebody mends it: read-only, not ours, no directory."""


class NoRepository(BackupError):
    """There is no backup at the target."""


class DamagedBackup(BackupError):
    """What was read is not what was written."""


class ForeignVersion(BackupError):
    """Made by a version of the program that this one does not understand."""


class WrongKey(BackupError):
    """The backup is encrypted with another key, or a key is needed and none was given."""


class Busy(BackupError):
    """Another run holds the repository."""


class NotEmptyInstance(BackupError):
    """A whole restore never goes over existing data."""


class SourceChanged(BackupError):
    """The source lost data while it was read."""


class NothingFound(BackupError):
    """The snapshot does not have what was asked for."""
