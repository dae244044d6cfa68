"""Settings of the rules over ranked lists."""

from __future__ import annotations

from loopcast.api import Name, Record


class RuleSettings(Record, frozen=True):
    """Where the table of rules over ranked lists is; it is read whenever lists are made.

    Attributes
    ----------
    reader, options
        As those of the data. Columns of the table: ``rule``, ``does``, and what the rule needs
        of ``segment``, ``entity``, ``entity_feature``, ``entity_value``, ``item``, ``feature``,
        ``value``, ``number``.
    """

    reader: Name
    options: dict[str, object] = {}
