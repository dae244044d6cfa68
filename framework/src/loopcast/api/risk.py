"""The questionnaire from which the risk class of a logical model follows."""

from __future__ import annotations

from typing import Literal

from loopcast.api.record import Record

RiskClass = Literal["low", "medium", "high"]
Audience = Literal["internal", "partners", "customers", "public"]
Impact = Literal["minor", "moderate", "severe"]
Lifetime = Literal["weeks", "months", "years"]
Reversibility = Literal["reversible", "costly", "irreversible"]
PersonalData = Literal["none", "pseudonymous", "identified", "sensitive"]


class RiskAnswers(Record, frozen=True):
    """What the owner of a logical model answers about its risk.

    An answer that was not given yet is ``None``; without all of them there is no risk class.

    Attributes
    ----------
    audience
        Who meets its outputs.
    impact
        What a wrong output does to one of them.
    lifetime
        How long one version is meant to serve.
    reversibility
        Whether what is done on an output can be undone.
    personal_data
        The most personal of its inputs.
    """

    audience: Audience | None = None
    impact: Impact | None = None
    lifetime: Lifetime | None = None
    reversibility: Reversibility | None = None
    personal_data: PersonalData | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Questions without an answer, in order."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name) is None)
