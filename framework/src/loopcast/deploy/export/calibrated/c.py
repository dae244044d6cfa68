"""A calibration around a scorer's C."""

from __future__ import annotations

from loopcast.api import CSource
from loopcast.develop.calibration.maps import EDGE, BetaMap, Calibration, CalibrationMap

WHOLE = """\
#define loopcast_score loopcast_uncalibrated_score
#define loopcast_scores loopcast_uncalibrated_scores

{source}
#undef loopcast_score
#undef loopcast_scores

{maps}

double loopcast_score(const double *numbers, const char *const *texts) {{
    double p = loopcast_uncalibrated_score(numbers, texts);
    if (p < {low}) p = {low};
    if (p > {high}) p = {high};
{cases}    return 1.0 / (1.0 + exp(-calibrated(p)));
}}

void loopcast_scores(long rows, const double *numbers, const char *const *texts,
                     double *probabilities) {{
    for (long row = 0; row < rows; row++) {{
        probabilities[row] = loopcast_score(numbers + row * {numbers}, texts + row * {texts});
    }}
}}
"""

CASE = """\
    if (texts[{at}] != NULL && strcmp(texts[{at}], {name}) == 0)
        return 1.0 / (1.0 + exp(-calibrated{number}(p)));
"""


def calibrated_c(source: CSource, calibration: Calibration) -> CSource:
    """Return a scorer in C whose probabilities are calibrated."""
    texts, by = source.texts, calibration.by
    if by is not None and calibration.groups and by not in texts:
        texts = (*texts, by)
    own = list(calibration.groups.items())
    maps = [_function("calibrated", calibration.whole)]
    maps += [_function(f"calibrated{at}", one) for at, (_, one) in enumerate(own)]
    cases = [
        CASE.format(at=texts.index(str(by)), name=_string(name), number=number)
        for number, (name, _) in enumerate(own)
    ]
    text = WHOLE.format(
        source=source.text,
        maps="\n\n".join(maps),
        cases="".join(cases),
        low=repr(EDGE),
        high=repr(1.0 - EDGE),
        numbers=len(source.numbers),
        texts=len(texts),
    )
    return CSource(text=text, numbers=source.numbers, texts=texts)


def _function(name: str, one: CalibrationMap) -> str:
    """Return a function from a probability inside the edges to calibrated log-odds."""
    lines = [f"static double {name}(double p) {{"]
    if isinstance(one, BetaMap):
        lines += [f"    return {one.a!r} * log(p) - {one.b!r} * log1p(-p) + {one.c!r};", "}"]
        return "\n".join(lines)
    lines.append("    double x = log(p) - log1p(-p);")
    *parts, last = one.lines()
    lines += [f"    if (x < {part[1]!r}) return {_line(*part)};" for part in parts]
    return "\n".join([*lines, f"    return {_line(*last)};", "}"])


def _line(x: float, end: float, y: float, slope: float) -> str:
    return f"{slope!r} * (x - ({x!r})) + {y!r}"


def _string(value: str) -> str:
    """Return a string of C, every byte of it escaped in octal."""
    return '"' + "".join(f"\\{byte:03o}" for byte in value.encode()) + '"'
