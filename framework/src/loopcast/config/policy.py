"""The policy, for commands that are not runs: composed like everything else."""

from __future__ import annotations

from pathlib import Path

from loopcast.api import ConfigurationError, Policy
from loopcast.config.composition import composed, hydra_session, plain_settings
from loopcast.config.lookup import look_up_policy
from loopcast.config.provenance import refuse_ambiguous, where
from loopcast.plugins import PluginManager
from loopcast.settings import SettingError, convert


def compose_policy(
    name: str = "default", *, plugins: PluginManager, folder: Path | None = None
) -> Policy:
    """Compose a policy by its name in the group ``policy``.

    Parameters
    ----------
    plugins
        Provide configuration.
    folder
        A folder of configuration beside loopcast's and the plugins' own.

    Raises
    ------
    ConfigurationError
        One line: the file, the dotted key, what was expected, and the nearest valid name.
    """
    # The logical model and template of a run are left out: their plugin may not be there.
    overrides = [f"policy={name}", "~logical_model", "~template"]
    with hydra_session(plugins, folder), composed(overrides, plugins) as config:
        refuse_ambiguous(config.hydra)
        try:
            policy: Policy = convert(plain_settings(config, "policy"), Policy, "policy")
            return look_up_policy(policy, plugins)
        except SettingError as error:
            raise ConfigurationError(f"{where(error.key, config.hydra)}: {error}") from None
