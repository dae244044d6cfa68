"""The environment that a version was trained in."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version


def package_versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, of packages, and of what they directly depend on.

    Extras are left out: where a run is stored or parallel does not decide what it gives.

    Examples
    --------
    >>> {"loopcast", "python", "pluggy"} <= package_versions("loopcast").keys()
    True
    """
    found = {"python": platform.python_version()}
    for package in packages:
        needed = [name for name in requires(package) or () if "extra ==" not in name]
        names = [package, *map(_name, needed)]
        for name in names:
            try:
                found[name] = version(name)
            except PackageNotFoundError:  # not needed on this platform
                continue
    return dict(sorted(found.items()))


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    return match[0].lower() if match else requirement
