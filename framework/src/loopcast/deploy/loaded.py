"""Versions of any task, read from the stores and ready to predict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from loopcast.api import (
    ForecastSchema,
    IntegrityError,
    Judged,
    LogicalModel,
    Manifest,
    RankSchema,
    Scenario,
    ScoreSchema,
    Template,
    Version,
)
from loopcast.api.formats import read_json
from loopcast.deploy.bundle import Bundle, read_bundle
from loopcast.deploy.limits import files_below
from loopcast.develop.judged import JUDGED_FILE, read_judged
from loopcast.plugins import calling

if TYPE_CHECKING:
    from loopcast.api import Files, Task
    from loopcast.deploy.forecast_bundle import ForecastVersion
    from loopcast.deploy.rank_bundle import Names
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home

Schema: TypeAlias = ForecastSchema | ScoreSchema | RankSchema

MODEL = "model/"
"""Where the files of a scorer or ranker are in a bundle."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Packed:
    """What a fitted scorer or ranker was packed into.

    Attributes
    ----------
    files
        Of the bundle, by name.
    model
        The one that these files give back.
    scenario
        What both were asked to prove it.
    """

    files: Mapping[str, bytes]
    model: Any
    scenario: Scenario


@dataclass(frozen=True, eq=False, kw_only=True)
class Opened:
    """What answers of a version, read from its bundle.

    Attributes
    ----------
    files
        Of the bundle, each checked when it is taken.
    model
        As :func:`load_model` returns it.
    names
        As :func:`names_of` returns them.
    """

    files: Files
    model: Any
    names: Names | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadedVersion:
    """A version whose models can be asked.

    Attributes
    ----------
    logical_model
        As the catalog has it now.
    models
        By step for a forecast; one model under the empty name for a score or a ranking.
    forecast
        The models of a forecast with what makes their answers coherent; ``None`` elsewhere.
    contest
        What its contest left behind, where that is at hand.
    scenario
        The test scenario of a score or a ranking, where that is at hand.
    """

    version: Version
    bundle: Bundle
    logical_model: LogicalModel
    template: Template[Any, Any]
    models: Mapping[str, Any]
    forecast: ForecastVersion | None = None
    contest: Judged | None = None
    scenario: Scenario | None = None

    @property
    def manifest(self) -> Manifest:
        """What the bundle says about itself."""
        return self.bundle.manifest

    @property
    def model(self) -> Any:
        """The one model of a score or a ranking; that of the finest step of a forecast."""
        return next(iter(self.models.values()))

    @property
    def schema(self) -> Schema:
        """Inputs and outputs, as they were when it was trained."""
        return schema_of(self.bundle.files)

    @property
    def bounds(self) -> Mapping[str, Any]:
        """What training has seen of each input."""
        bounds: Mapping[str, Any] = read_json(self.bundle.files["schema.json"])["bounds"]
        return bounds

    def judged(self) -> Judged:
        """Return what its contest left behind.

        Raises
        ------
        IntegrityError
            Where the bundle has no judged rows.
        """
        if self.contest is not None:
            return self.contest
        content = self.bundle.files.get(JUDGED_FILE)
        if content is None:
            raise IntegrityError(
                f"the bundle of version {self.version.id} has no {JUDGED_FILE}; train it again "
                "with this release of loopcast"
            )
        return read_judged(content, self.logical_model.task)


def load_version(
    home: Home, plugins: PluginManager, version: Version, model: LogicalModel | None = None
) -> LoadedVersion:
    """Read a version from the stores, each file checked against its digest.

    Parameters
    ----------
    model
        Its logical model, where the caller has read it already.

    Raises
    ------
    IntegrityError, NotFoundError
        Where a file is missing or damaged.
    PluginError
        Where the plugin of its template is not there.
    """
    model = model or home.catalog.logical_model(version.logical_model)
    bundle = read_bundle(home.artifacts, version.manifest)
    template = plugins.template(version.template)
    found = load_model(model.task, bundle.files, template, plugins.template)
    forecast = found if model.task == "forecast" else None
    return LoadedVersion(
        version=version,
        bundle=bundle,
        logical_model=model,
        template=template,
        models=forecast.models if forecast else {"": found},
        forecast=forecast,
    )


def schema_of(files: Mapping[str, bytes]) -> Schema:
    """Return the inputs and outputs of a version, as they were when it was trained."""
    schema: Schema = msgspec.convert(read_json(files["schema.json"])["schema"], Schema)
    return schema


def load_model(
    task: Task,
    files: Mapping[str, bytes],
    template: Template[Any, Any],
    find: Callable[[str], Template[Any, Any]],
) -> Any:
    """Return what answers: a scorer, a ranker, or a forecast's models with what joins them.

    Parameters
    ----------
    files
        Of the whole bundle.
    find
        Returns the template of a name, for a forecast's fallback.

    Raises
    ------
    IntegrityError
        Where the files are laid out as another release of loopcast does it.
    """
    if task == "forecast":
        from loopcast.deploy.forecast_bundle import unpack

        return unpack(files, template, find)
    with calling(template.name, "load"):
        model = template.load(model_files(files))
    if task == "score":
        from loopcast.develop.score.finished import finished

        return finished(model, files)
    return model


def names_of(task: Task, files: Files) -> Names | None:
    """Return the names behind the codes of a ranker; ``None`` for another task."""
    if task != "rank":
        return None
    from loopcast.deploy.rank_bundle import read_names

    return read_names(files)


def not_given_back(template: str, how: str, *, steady: bool) -> IntegrityError:
    """Return the error of a model whose saved files answer otherwise.

    Parameters
    ----------
    how
        By how much the loaded one differs, in words that follow it.
    steady
        Whether the fitted model, asked once more, answers as before.
    """
    if steady:
        fault = f"the model loaded from its saved files {how}"
    else:
        fault = "asked twice, the fitted model answers otherwise: predict may draw and keep nothing"
    return IntegrityError(f"template {template}: {fault}; nothing was registered")


def model_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files that a scorer or ranker has saved, by its own names."""
    return files_below(MODEL, files)
