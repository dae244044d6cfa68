"""Pages in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--enable-logging=stderr", "--virtual-time-budget=4000",
)  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        message = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("LOOPCAST_REQUIRE_SERVERS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


def opened(browser: str, html: str, folder: Path, width: int) -> tuple[Any, list[str]]:
    """Open a page; return what its script left in ``data-seen`` and what the console said."""
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    run = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},2000",
         "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    seen = re.search(r'data-seen="([^"]*)"', run.stdout)
    assert seen is not None, run.stderr[-2000:]
    console = [text for text in run.stderr.splitlines() if "CONSOLE" in text]
    return json.loads(unescape(seen[1])), console
