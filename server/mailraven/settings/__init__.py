"""Settings that change without a restart: stored in Postgres, in force in all processes within a second."""

from mailraven.settings.current import Settings
from mailraven.settings.stored import CHANNEL, SettingGroup, read, write

__all__ = ["CHANNEL", "SettingGroup", "Settings", "read", "write"]
