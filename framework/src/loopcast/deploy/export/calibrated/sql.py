"""A calibration around a SELECT."""

from __future__ import annotations

from loopcast.develop.calibration.maps import EDGE, BetaMap, Calibration, CalibrationMap


def calibrated_sql(query: str, calibration: Calibration, table: str, key: str) -> str:
    """Return a SELECT of key, log-odds and probability after a calibration.

    Parameters
    ----------
    query
        The scorer's, of the same columns.
    table
        That it reads, which has the feature by which groups are told apart.
    """
    name, p = _name(key), "model.probability"
    low, high = _number(EDGE), _number(1.0 - EDGE)
    clipped = f"CASE WHEN {p} < {low} THEN {low} WHEN {p} > {high} THEN {high} ELSE {p} END"
    group, join, chosen = "", "", _log_odds(calibration.whole)
    if calibration.by is not None and calibration.groups:
        group = f", data.{_name(calibration.by)} AS category"
        join = f" JOIN {_name(table)} AS data ON data.{name} = model.{name}"
        cases = [
            f"WHEN category = {_text(one)} THEN {_log_odds(own)}"
            for one, own in calibration.groups.items()
        ]
        chosen = f"CASE {' '.join(cases)} ELSE {chosen} END"
    return (
        f"SELECT {name}, log_odds, 1.0 / (1.0 + EXP(-log_odds)) AS probability\n"
        f"FROM (SELECT {name}, {chosen} AS log_odds\n"
        f"FROM (SELECT clipped.*, LN(p) - LN(1.0 - p) AS x\n"
        f"FROM (SELECT model.{name}{group}, {clipped} AS p\n"
        f"FROM (\n{query}) AS model{join}) AS clipped) AS odds) AS calibrated\n"
    )


def _log_odds(one: CalibrationMap) -> str:
    if isinstance(one, BetaMap):
        return f"{_number(one.a)} * LN(p) - {_number(one.b)} * LN(1.0 - p) + {_number(one.c)}"
    *lines, last = (
        (end, f"{_number(slope)} * (x - {_number(x)}) + {_number(y)}")
        for x, end, y, slope in one.lines()
    )
    cases = " ".join(f"WHEN x < {_number(end)} THEN {line}" for end, line in lines)
    return f"CASE {cases} ELSE {last[1]} END" if cases else last[1]


def _number(value: float) -> str:
    """Return a number that is read back exactly, as a double and never as a decimal."""
    return f"CAST({value!r} AS DOUBLE PRECISION)"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
