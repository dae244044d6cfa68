from __future__ import annotations

import gc
import math
import operator
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from loopcast.api import Engine
from loopcast.develop.carried import folder_of_columns
from loopcast.develop.engine import AHEAD, EngineError, _problem, engine_for
from loopcast.settings import EngineSettings

HERE = {"loopcast": "1.0", "numpy": "2.4", "psycopg": "3.3"}


def processes(workers: int = 2) -> AbstractContextManager[Engine]:
    return engine_for(EngineSettings(name="local", workers=workers))


def test_one_worker_is_this_process() -> None:
    with processes(1) as engine:
        assert list(engine.map(operator.call, [os.getpid])) == [os.getpid()]


def test_more_workers_are_processes_that_stay_and_keep_the_order() -> None:
    with processes() as engine:
        assert list(engine.map(math.sqrt, [9, 4, 1, 0])) == [3, 2, 1, 0]
        found = {*engine.map(operator.call, [os.getpid] * 8)}
        found |= {*engine.map(operator.call, [os.getpid] * 8)}
    assert os.getpid() not in found
    assert len(found) <= 2


def test_processes_look_for_cycles_as_often_as_the_one_that_starts_them() -> None:
    usual = gc.get_threshold()
    gc.set_threshold(9_000, 8, 7)
    try:
        with processes() as engine:
            found = list(engine.map(operator.call, [gc.get_threshold] * 2))
    finally:
        gc.set_threshold(*usual)
    assert found == [(9_000, 8, 7)] * 2


def test_processes_have_one_thread_for_algebra() -> None:
    asked = [partial(os.environ.get, f"{library}_NUM_THREADS") for library in ("OPENBLAS", "OMP")]
    with processes() as engine:
        assert list(engine.map(operator.call, asked)) == ["1", "1"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="its allocator is told so")
def test_processes_ask_the_system_once_for_memory_that_they_use_again() -> None:
    blocks, size = 8, 1 << 20

    def new_pages() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            _ = [bytearray(size) for _ in range(blocks)]
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    with processes() as engine:
        found = list(engine.map(operator.call, [new_pages] * 2))
    assert max(found) < 2 * blocks * size / resource.getpagesize()


def test_processes_have_one_allocator_for_arrow_and_all_else() -> None:
    def pool() -> str:
        return str(pa.default_memory_pool().backend_name)

    with processes() as engine:
        assert list(engine.map(operator.call, [pool] * 2)) == ["system"] * 2


def test_one_item_starts_no_process() -> None:
    with processes() as engine:
        assert list(engine.map(operator.call, [os.getpid])) == [os.getpid()]
        assert list(engine.map(operator.call, [])) == []


def test_functions_of_any_kind_travel() -> None:
    def adding(number: int) -> Callable[[], int]:
        return lambda: number + 1

    with processes() as engine:
        found = list(engine.map(adding, [1, 2, 3]))
    assert [function() for function in found] == [2, 3, 4]


def test_no_file_of_a_column_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def zeros(count: int) -> pa.Array:
        return pa.array(np.zeros(count))

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with processes() as engine:
        found = engine.map(zeros, [10**6] * 9)
        assert len(next(found)) == 10**6
        [folder] = tmp_path.iterdir()
        assert len(list(folder.iterdir())) <= 2 * AHEAD
        assert sum(map(len, found)) == 8 * 10**6
        assert not list(folder.iterdir())
    assert not list(tmp_path.iterdir())


def test_no_more_results_wait_than_were_asked_for() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(40):
            drawn.append(number)
            yield number * number

    with processes() as engine:
        for taken, result in enumerate(engine.map(math.sqrt, items()), 1):
            assert result == taken - 1
            assert len(drawn) <= taken + 2 * AHEAD
    assert len(drawn) == 40


def test_an_error_arrives_as_it_is_and_a_process_that_ends_is_told() -> None:
    with processes() as engine:
        with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
            list(engine.map(math.sqrt, [1, 4, -1, 9]))
        assert list(engine.map(math.sqrt, [9, 4])) == [3, 2]
    ended = r"ended before its work, .* set engine\.workers to fewer"
    with processes() as engine, pytest.raises(EngineError, match=ended):
        list(engine.map(os._exit, [3, 3]))
    with processes() as engine:
        assert list(engine.map(math.sqrt, [9, 4])) == [3, 2]


def test_no_run_waits_for_a_process_that_ended_before_it_had_read_its_work() -> None:
    large = bytes(1 << 20)  # more than a pipe has room for
    with processes() as engine, pytest.raises(EngineError, match="ended before its work"):
        list(engine.map(lambda status: os._exit(status + len(large) % 2), [3] * 8))


KILLED = """
import os, signal, time
import numpy as np
import pyarrow as pa
from loopcast.develop.engine import engine_for
from loopcast.settings import EngineSettings

def told(numbers):
    os.write(1, f"{os.getpid()}\\n".encode())
    time.sleep(60)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    with engine_for(EngineSettings(name="local", workers=2)) as engine:
        list(engine.map(told, (pa.array(np.zeros(10**6)) for _ in range(5))))
"""


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for temporary files, the name of which leaves room for that of a socket."""
    return tmp_path_factory.mktemp("files")


def test_processes_start_anew_where_no_socket_has_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 80)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with processes() as engine:
        assert list(engine.map(math.sqrt, [9, 4])) == [3, 2]
    assert not list(deep.iterdir())


PREPARED = """
import os, sys
from pathlib import Path
from loopcast.develop.engine import engine_for
from loopcast.settings import EngineSettings

if __name__ == "__main__":
    with engine_for(EngineSettings(name="local", workers=2), items=int(sys.argv[1])):
        print(len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes start anew")
@pytest.mark.parametrize(("items", "started"), [(0, 0), (1, 0), (2, 2)])  # one keeps watch
def test_processes_import_before_there_is_work_where_they_are_certainly_needed(
    tmp_path: Path, items: int, started: int
) -> None:
    script = tmp_path / "prepared.py"
    script.write_text(PREPARED)
    command = [sys.executable, str(script), str(items)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert (done.stdout, done.stderr) == (f"{started}\n", "")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_the_one_that_started_them(
    tmp_path: Path, files: Path, how: int
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(files)},
    ) as process:
        assert process.stdout is not None
        found = [int(process.stdout.readline()) for _ in range(2)]
        assert list(files.glob("loopcast-*/*"))
        os.kill(process.pid, how) if how == signal.SIGKILL else os.killpg(process.pid, how)
        process.wait(10)
    assert process.pid not in found
    deadline = time.monotonic() + 10
    while any(map(_lives, found)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not list(files.glob("loopcast-*"))


def test_what_is_left_when_all_processes_are_killed_goes_with_the_next_run(
    tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    (files / "loopcast-home").mkdir()
    os.utime(files / "loopcast-home", (0, 0))
    monkeypatch.setattr("tempfile.tempdir", str(files))
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(files)},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        [left] = files.glob("loopcast-columns-*")
        os.utime(left, (0, 0))
        assert after_a_run(left), "it is at work, however old"
        os.killpg(process.pid, signal.SIGKILL)
    os.utime(left)
    assert after_a_run(left), "it may just be made"
    os.utime(left, (0, 0))
    assert not after_a_run(left)
    assert (files / "loopcast-home").is_dir()


def after_a_run(left: Path) -> bool:
    """Tell whether a folder is there after another run has begun and ended."""
    with folder_of_columns():
        return left.is_dir()


STARTING = """
import signal, sys
from loopcast.develop.engine import engine_for
from loopcast.settings import EngineSettings

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with engine_for(EngineSettings(name="local", workers=2), ["slow_to_import"]) as engine:
            list(engine.map(abs, range(4)))
    except KeyboardInterrupt:
        sys.exit(3)
"""


def test_who_is_interrupted_while_processes_start_is_the_only_one_to_say_so(tmp_path: Path) -> None:
    (tmp_path / "starting.py").write_text(STARTING)
    slow = "import os, time; os.write(1, b'importing\\n'); time.sleep(0.5)"
    (tmp_path / "slow_to_import.py").write_text(slow)
    with subprocess.Popen(
        [sys.executable, "starting.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": "."},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        os.killpg(process.pid, signal.SIGINT)
        told = process.communicate(timeout=10)
    assert (process.returncode, told) == (3, ("", ""))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "(zombie)" not in status.read_text()


def test_dask_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    settings = EngineSettings(name="dask", workers=1)
    expected = r"^engine=dask needs Dask: pip install 'loopcast\[dask\]'$"
    with pytest.raises(EngineError, match=expected), engine_for(settings):
        pass


@pytest.mark.parametrize(
    ("there", "threads", "expected"),
    [
        (HERE, 1, ""),
        ({"loopcast": "1.0", "numpy": "2.4", "distributed": "2026.8"}, 1, ""),
        (
            {**HERE, "numpy": "2.3", "loopcast": "0.9"},
            1,
            "has other versions: loopcast 0.9 (here 1.0), numpy 2.3 (here 2.4); install there "
            "what is installed here",
        ),
        (
            ModuleNotFoundError("No module named 'loopcast'"),
            1,
            "lacks a package of this run (No module named 'loopcast'): install there what is "
            "installed here",
        ),
        (HERE, 4, "has 4 threads: start it with --nthreads 1, and more of them instead"),
    ],
)
def test_why_a_worker_is_refused(
    there: dict[str, str] | Exception, threads: int, expected: str
) -> None:
    assert _problem(HERE, there, threads) == expected
