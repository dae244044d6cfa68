"""Plugins: found by entry point, each loaded alone in the order of names; no global instance."""

from loopcast.plugins.calling import calling
from loopcast.plugins.manager import PluginInfo, PluginManager

__all__ = ["PluginInfo", "PluginManager", "calling"]
