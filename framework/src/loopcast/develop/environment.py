"""The environment that a version was trained in."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version


def package_versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, of packages, and of what they directly depend on.

    Examples
    --------
    >>> {"loopcast", "python", "pluggy"} <= package_versions("loopcast").keys()
    True
    """
    found = {"python": platform.python_version()}
    for package in packages:
        names = [package, *map(_name, requires(package) or ())]
        for name in names:
            try:
                found[name] = version(name)
            except PackageNotFoundError:  # an extra that is not installed
                continue
    return dict(sorted(found.items()))


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    return match[0].lower() if match else requirement
