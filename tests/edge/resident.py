"""How much memory a process has, as the kernel says."""

from __future__ import annotations

from pathlib import Path


def memory_mb(process: int | str) -> dict[str, float]:
    """Megabytes of a process by the kernel's names: `Rss`, `Pss`, `Anonymous` and so on."""
    return parsed_mb(Path(f"/proc/{process}/smaps_rollup").read_text())


def parsed_mb(content: str) -> dict[str, float]:
    """Megabytes in a file that sums up the mappings of a process."""
    found = (line.split() for line in content.splitlines() if line.endswith(" kB"))
    return {name.rstrip(":"): int(kilobytes) / 1024 for name, kilobytes, _ in found}
