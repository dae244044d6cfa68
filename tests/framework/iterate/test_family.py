from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from loopcast.iterate import family
from loopcast.iterate.family import AT_ONCE, SOON, together
from loopcast.iterate.releasing import Released

LOADED = (
    "import sys, loopcast.{module}; print(sorted({{'sqlalchemy', 'scipy'}} & set(sys.modules)))"
)


@pytest.mark.parametrize("module", ["iterate.family", "serve.family"])
def test_a_process_that_works_on_batches_loads_no_database(module: str) -> None:
    command = [sys.executable, "-c", LOADED.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_is_done_in_quick_succession_is_settled_at_once() -> None:
    first, second = range(AT_ONCE), range(AT_ONCE, 2 * AT_ONCE)
    assert list(together(range(2 * AT_ONCE + 1))) == [[*first], [*second], [2 * AT_ONCE]]
    assert not list(together(()))


def test_what_is_slow_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr(family, "monotonic", lambda: clock)

    def batches() -> Iterator[int]:
        nonlocal clock
        for number, took in enumerate((2 * SOON, 0.4 * SOON, 0.4 * SOON, 0.4 * SOON, 0.1 * SOON)):
            clock += took
            yield number

    assert list(together(batches())) == [[0], [1, 2, 3], [4]]


def test_what_was_done_is_kept_before_an_error_is_told() -> None:
    def batches() -> Iterator[int]:
        yield from (1, 2)
        raise MemoryError

    found = together(batches())
    assert next(found) == [1, 2]
    with pytest.raises(MemoryError):
        next(found)


@pytest.mark.parametrize(
    ("released", "status"),
    [
        (Released(stage="champion", better=True), "better"),
        (Released(stage="staging", better=True), "waiting"),
        (Released(stage="challenger", better=True), "waiting"),
        (Released(stage="challenger"), "not better"),
        (Released(stage="candidate"), "not better"),
    ],
)
def test_who_waits_for_a_person_is_not_called_worse(released: Released, status: str) -> None:
    assert family._status(released) == status
