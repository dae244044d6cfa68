"""What a version keeps about its limits: the domain of its inputs, and who answers beyond it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loopcast.api import Action, DomainVerdict, ForecastQuery
from loopcast.api.formats import json_bytes, read_json
from loopcast.develop.applicability import (
    APPLICABILITY_FILE,
    Domain,
    beyond,
    domains_bytes,
    read_domains,
)

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import Applicability, Files, Template
    from loopcast.develop.checks.inputs import Column
    from loopcast.develop.course import Contender

_NAME_FILE = "beyond.json"
"""Names the template of the stand-ins."""

_FOLDER = "beyond/"


@dataclass(frozen=True, eq=False, kw_only=True)
class Limits:
    """The limits of a version.

    Attributes
    ----------
    domains
        By site for a forecast, one under the empty name for a score or a ranking; none for a
        version from before there were any.
    stand_ins
        Fitted fallback that answers beyond them: by step, or one under the empty name; none
        where the logical model does not fall back.
    """

    domains: Mapping[str, Domain] = field(default_factory=dict)
    stand_ins: Mapping[str, Any] = field(default_factory=dict)


def limits_files(limits: Limits, stand_in: Contender | None) -> dict[str, bytes]:
    """Return the files of the limits in a version's bundle.

    Parameters
    ----------
    stand_in
        The template of the stand-ins, where there are some.
    """
    files = {APPLICABILITY_FILE: domains_bytes(limits.domains)}
    if stand_in is not None:
        files[_NAME_FILE] = json_bytes([stand_in.template.name, *limits.stand_ins])
        for number, model in enumerate(limits.stand_ins.values()):
            saved = model.save()
            files |= {f"{_FOLDER}{number}/{name}": content for name, content in saved.items()}
    return files


def read_limits(files: Files, find: Callable[[str], Template[Any, Any]]) -> Limits:
    """Rebuild the limits of a version from the files of its bundle.

    Parameters
    ----------
    find
        Returns the template of a name.

    Raises
    ------
    IntegrityError
        Where the bytes are no domains.
    """
    if APPLICABILITY_FILE not in files:
        return Limits()
    stand_ins: dict[str, Any] = {}
    if _NAME_FILE in files:
        template, *parts = read_json(files[_NAME_FILE])
        for number, part in enumerate(parts):
            stand_ins[part] = find(template).load(files_below(f"{_FOLDER}{number}/", files))
    return Limits(domains=read_domains(files[APPLICABILITY_FILE]), stand_ins=stand_ins)


def read_domain(files: Files) -> Domain | None:
    """Return the domain of a score's version; ``None`` for one from before there were any."""
    if APPLICABILITY_FILE not in files:
        return None
    return read_domains(files[APPLICABILITY_FILE]).get("")


def domain_verdict(
    limits: Limits, rules: Applicability, inputs: ForecastQuery | pd.DataFrame
) -> DomainVerdict:
    """Tell what is done with inputs: rows of a score, or the horizon of a forecast at each site."""
    asked: dict[str, Mapping[str, Column]]
    if isinstance(inputs, ForecastQuery):
        from loopcast.develop.forecast.beyond import site_columns

        asked = {site: site_columns(inputs.known, site, inputs.horizon) for site in limits.domains}
    else:
        from loopcast.develop.score.inputs import columns_of

        asked = {"": columns_of(inputs)}
    rows, actions, reasons = 0, Counter[Action](), Counter[str]()
    for part, domain in limits.domains.items():
        found = beyond(domain, asked[part], rules.share)
        rows += found.code.size
        for reason, count in zip(found.reasons, found.counts(), strict=True):
            actions[rules.action(outside=reason.outside, novel=reason.novel)] += count
            reasons[reason.text] += count
    return DomainVerdict(
        rows=rows,
        flagged=actions["flagged"],
        withheld=actions.total() - actions["flagged"] - actions["served"],
        reason=reasons.most_common(1)[0][0] if reasons else "",
    )


def files_below(folder: str, files: Files) -> dict[str, bytes]:
    """Return the files of a folder of a bundle, by their names in it."""
    return {n.removeprefix(folder): files[n] for n in files if n.startswith(folder)}
