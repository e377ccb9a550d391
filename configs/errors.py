"""The exceptions a user may meet. Each message says what was found, what was expected and what to do.

TillwiseError
├── ConfigError         a setting, dataset mapping or environment variable is wrong
├── DataError           the data break the contract beyond what may be quarantined
├── NotBuiltError       a stage's input has not been built yet
├── PackageError        a model package is missing, corrupt or does not fit this code
├── PromotionError      the gate found the model not good enough
├── RegistryFailedError the registry is locked, full, damaged or out of reach
├── PortBusyError       another process listens where ours should
├── PartError           an external part (Redis, broker, service) is missing, unreachable or died
├── BusyError           something shared is locked or away for now: trying again may help
├── DiskFullError       the work folder has no room
├── StageError          a stage's process ended without a result
└── AlreadyRunningError another process of ours holds the work folder
"""

from __future__ import annotations


class TillwiseError(Exception):
    """Root of every error that is shown to a user as one sentence instead of a stack trace."""


class ConfigError(TillwiseError):
    """A setting, dataset mapping or environment variable is wrong."""


class DataError(TillwiseError):
    """The data break the contract beyond what may be quarantined."""


class NotBuiltError(TillwiseError):
    """A stage's input has not been built yet."""


class PackageError(TillwiseError):
    """A model package is missing, corrupt or does not fit this code."""


class PromotionError(TillwiseError):
    """The promotion gate found the model not good enough."""


class BusyError(TillwiseError):
    """Something that a stage shares with others is locked or away for now: trying again may help."""


class RegistryFailedError(TillwiseError):
    """The registry is locked, full, damaged or out of reach."""


class RegistryBusyError(RegistryFailedError, BusyError):
    """The registry is locked, or does not answer for now."""


class PortBusyError(TillwiseError):
    """Another process listens where ours should."""


class PartError(TillwiseError):
    """An external part (Redis, broker, service) is missing, unreachable or died."""


class DiskFullError(TillwiseError):
    """The work folder has no room left."""


class StageError(TillwiseError):
    """A stage's process ended without a result."""


class AlreadyRunningError(TillwiseError):
    """Another process of ours holds the work folder."""
