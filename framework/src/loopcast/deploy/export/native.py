"""Run a scorer's C, compiled on this machine."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ConfigurationError, CSource, ModelError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# No fused multiply and add, which rounds otherwise than the model does.
FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")


def c_scores(source: CSource, rows: pd.DataFrame) -> NDArray[np.float64]:
    """Compile a source and return the probability of each row, shape (rows,).

    Raises
    ------
    ConfigurationError
        Where there is no C compiler.
    ModelError
        Where the source does not compile.
    """
    numbers = np.ascontiguousarray(rows[list(source.numbers)].to_numpy(np.float64))
    texts = rows[list(source.texts)].astype(object)
    flat = texts.where(texts.notna(), None).to_numpy().ravel().tolist()
    encoded = [None if one is None else str(one).encode() for one in flat]
    pointers = (ctypes.c_char_p * max(len(encoded), 1))(*encoded)
    found = np.empty(len(rows))
    with tempfile.TemporaryDirectory() as folder:
        library = _compiled(source.text, Path(folder))
        library.loopcast_scores(
            ctypes.c_long(len(rows)), _pointer(numbers), pointers, _pointer(found)
        )
    return found


def _pointer(array: NDArray[np.float64]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def _compiled(text: str, folder: Path) -> Any:
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(compiler[0]) is None:
        raise ConfigurationError(
            f"C is compared with the model by a compiler, and there is no {compiler[0]!r}; install "
            "one, or name it in the environment variable CC"
        )
    source, target = folder / "score.c", folder / "score.so"
    source.write_text(text, encoding="utf-8")
    command = [*compiler, *FLAGS, "-o", str(target), str(source), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line]
        reason = (lines or ["no message"])[0]
        raise ModelError(f"the exported C does not compile: {reason}")
    return ctypes.CDLL(str(target))
