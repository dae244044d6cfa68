"""The environment that a version was trained in."""

from __future__ import annotations

import platform
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version


def package_versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, of packages, and of what they directly depend on.

    Extras are left out: where a run is stored or parallel does not decide what it gives. They are
    looked up once, since a process keeps the code that it has imported whatever is installed later.

    Examples
    --------
    >>> {"loopcast", "python", "pluggy"} <= package_versions("loopcast").keys()
    True
    """
    return dict(_versions(packages))


@cache
def _versions(packages: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Read the metadata of packages, which takes milliseconds: too long for each segment."""
    found = {"python": platform.python_version()}
    for package in packages:
        needed = [name for name in requires(package) or () if "extra ==" not in name]
        names = [package, *map(_name, needed)]
        for name in names:
            try:
                found[name] = version(name)
            except PackageNotFoundError:  # not needed on this platform
                continue
    return tuple(sorted(found.items()))


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    return match[0].lower() if match else requirement
