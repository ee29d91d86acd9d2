"""What can be wrong with a change of DKIM keys, in words for the admin."""


class DkimError(Exception):
    """Parent of all."""


class NoSuchKey(DkimError):
    """The domain has no key of this selector."""


class SelectorExists(DkimError):
    """The domain has a key of this selector already."""


class KeyInUse(DkimError):
    """The key signs: another one has to take over first."""


class TooManyKeys(DkimError):
    """The domain has as many keys as it may have: retired ones have to be deleted first."""
