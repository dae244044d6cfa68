"""The one exception tree.

Every message says what was wrong, where it was found, and what would be right.
"""

from __future__ import annotations


class LoopcastError(Exception):
    """Root of every error that loopcast raises on purpose."""


class InvalidRecordError(LoopcastError, ValueError):
    """A record was given a value that it can never hold."""


class ConfigurationError(LoopcastError):
    """The configuration names something that does not exist or has the wrong type."""


class DataError(LoopcastError):
    """Input data does not satisfy the schema of its logical model."""


class ModelError(LoopcastError):
    """A model could not be fitted, saved, loaded or applied."""


class ConvergenceError(ModelError):
    """An estimation did not converge, so its result is not used."""


class PluginError(LoopcastError):
    """A plugin is missing, broken, or was built for another contract."""


class StoreError(LoopcastError):
    """A store could not be read or written."""


class NotFoundError(StoreError):
    """What was asked for is not in the store."""


class IntegrityError(StoreError):
    """Stored bytes do not match their digest."""


class ConflictError(StoreError):
    """Another process changed the same thing first."""


class GateError(LoopcastError):
    """A version lacks what its next move needs: a gate passed, a sign-off, a document."""


class SwitchError(LoopcastError):
    """The switch of a logical model and segment forbids it."""
