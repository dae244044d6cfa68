"""Settings of what is trained: a template, and what rows pass before it learns from them."""

from __future__ import annotations

from loopcast.api import Record, TemplateName


class TemplateSettings(Record, frozen=True):
    """A template by its name, with hyperparameters as plain data.

    After :func:`loopcast.config.compose`, they are complete and of the template's types.
    """

    name: TemplateName
    hyperparameters: dict[str, object] = {}


class PreparationSettings(Record, frozen=True):
    """What rows of a score pass before a template learns from them.

    Attributes
    ----------
    name
        Of a preparation; ``None`` for none.
    options
        Of its own type, as plain data.
    """

    name: TemplateName | None = None
    options: dict[str, object] = {}

    def check(self) -> None:
        """Options are those of something."""
        self.require(
            self.name is not None or not self.options,
            f"options {', '.join(self.options)} of no preparation; name one",
        )
