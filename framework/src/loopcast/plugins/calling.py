"""Calls of a plugin's code while a run goes on: what it raises stops one segment and no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from loopcast.api import LoopcastError, ModelError

_OURS = {"loopcast", "contextlib"}


@contextmanager
def calling(template: str, what: str) -> Iterator[None]:
    """Turn what a template raises unforeseen into an error of the segment, which says where.

    Parameters
    ----------
    template
        Its name, for the message.
    what
        What is called: ``predict``.

    Raises
    ------
    LoopcastError
        As the template raises it.
    ModelError
        For any other exception, which is its cause.

    Examples
    --------
    >>> with calling("acme.mean", "predict"):
    ...     {}["age"]
    Traceback (most recent call last):
    loopcast.api.errors.ModelError: template acme.mean: predict raised KeyError: 'age'
    """
    try:
        yield
    except LoopcastError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise ModelError(f"template {template}: {what} raised {said}{_place(error)}") from error


def _place(error: Exception) -> str:
    """Return the innermost line of the plugin's own package; nothing where the core called none."""
    frames = walk_tb(error.__traceback__)
    lines = [(str(frame.f_globals.get("__name__", "")), line) for frame, line in frames]
    theirs = [(name, line) for name, line in lines if _package(name) not in _OURS]
    if not theirs:
        return ""
    own = [line for line in theirs if _package(line[0]) == _package(theirs[0][0])]
    return " ({}, line {})".format(*own[-1])


def _package(module: str) -> str:
    return module.partition(".")[0]
