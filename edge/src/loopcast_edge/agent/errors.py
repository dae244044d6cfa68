"""What can go wrong on a device, and the exit code that the service manager sees."""

from __future__ import annotations


class EdgeError(Exception):
    """The base of the agent's errors; its message says what, where, and what would be right."""

    exit_code = 1


class SettingsError(EdgeError):
    """The configuration cannot be used; a restart would not help."""

    exit_code = 78  # EX_CONFIG of sysexits.h, on which the systemd unit does not restart


class ModelError(EdgeError):
    """A model file cannot be loaded, or does not keep to the convention of a package."""


class LockedError(EdgeError):
    """Another agent works with the same state folder."""

    exit_code = 75  # EX_TEMPFAIL
