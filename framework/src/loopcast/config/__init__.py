"""Configuration: from YAML and the command line to the typed settings of a run.

The only package that knows Hydra, which is imported when a run is configured. Configuration
names things and cannot run code: nothing in it is instantiated, and ``_target_`` is refused.
"""

from loopcast.config.command import Job, disabled, run
from loopcast.config.composition import compose
from loopcast.config.policy import compose_policy

__all__ = ["Job", "compose", "compose_policy", "disabled", "run"]
