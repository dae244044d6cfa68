"""Plugin packages made up for a test: a module, its files and its metadata, as if installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SHIPPED = ("credit", "forecasting", "recommender")
"""Our own plugins, disabled where a test says what there is."""

HEADER = """
from loopcast.api import *

LOOPCAST_CONTRACT = (1, 0)
"""

TEMPLATE = """
from typing import Annotated, Literal
import msgspec

class Mean{suffix}Parameters(Hyperparameters, frozen=True):
    window: Annotated[int, msgspec.Meta(ge=1)] = 7
    weights: tuple[float, ...] = (0.5, 0.5)
    mode: Literal["flat", "steep"] = "flat"

class Mean{suffix}:
    name = "{name}"
    task = "{task}"
    summary = "the mean of the last days"
    hyperparameters = Mean{suffix}Parameters
    def fit(self, family, hyperparameters, context): ...
    def load(self, files): ...
"""


def template(name: str, *, task: str = "forecast", suffix: str = "") -> str:
    """The source of a template class ``Mean``."""
    return TEMPLATE.format(name=name, task=task, suffix=suffix)


def offering(name: str) -> str:
    """The source of a plugin that offers one template."""
    return f"""{HEADER}{template(name)}
@hookimpl
def loopcast_templates():
    return [Mean()]
"""


def install(
    site: Path,
    plugin: str,
    source: str,
    *,
    package: str | None = None,
    version: str = "1.2.3",
    files: Mapping[str, str] | None = None,
) -> str:
    """Write a package into a folder of the module path; return the name of its module."""
    package = package or f"loopcast-{plugin}"
    module = f"fake_{package.replace('-', '_')}"
    for name, content in {"__init__.py": source, **(files or {})}.items():
        path = site / module / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    metadata = site / f"{package.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    )
    (metadata / "entry_points.txt").write_text(f"[loopcast]\n{plugin} = {module}\n")
    return module


@contextmanager
def forget_fakes() -> Iterator[None]:
    """Forget imports of made-up packages, so that the next test's are imported anew."""
    yield
    for name in [name for name in sys.modules if name.startswith("fake_")]:
        del sys.modules[name]
