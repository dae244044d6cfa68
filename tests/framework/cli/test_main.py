"""The program as people start it: help, version, errors in one line, exit codes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from loopcast.cli import loopcast

from ..config.town import ACME as ACME_WITH_MAPE
from ..config.town import CONF
from ..distributions import install

ACME = ACME_WITH_MAPE.replace("mape", "acme_bias")  # the core has its own


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages for a process of its own."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def start(
    site: Path, *arguments: str, code: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    program = f"{code}\nfrom loopcast.cli import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(site), **environment},
        cwd=site.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_imports_no_command_and_no_plugin(site: Path) -> None:
    install(site, "acme", "raise SystemExit('imported')")
    watch = """
import atexit, sys
heavy = {"pandas", "numpy", "hydra", "sqlalchemy", "loopcast.plugins", "scipy"}
atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))
"""
    done = start(site, "--help", code=watch)
    assert done.returncode == 0
    assert done.stderr == "[]\n"
    assert re.search("^  run +Train where needed, predict, retrain", done.stdout, re.MULTILINE)


WAITING = """
import signal, time
from loopcast.cli import loopcast

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it

@loopcast.command()
def wait():
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("tidied")
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_who_is_told_to_end_tidies_up_and_says_so_in_a_line(how: int) -> None:
    program = f"{WAITING}\nfrom loopcast.cli import main\nmain()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "wait"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(how)
        told = process.communicate(timeout=10)
    assert (process.returncode, told) == (1, ("tidied\n", "\nAborted!\n"))


def helps(command: click.Command, name: str, above: click.Context | None = None) -> Iterator[str]:
    """Yield the help of a command, and of all below it."""
    context = click.Context(command, info_name=name, parent=above)
    yield command.get_help(context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below is not None
            yield from helps(below, each, context)


def test_no_help_shows_marks_of_its_source() -> None:
    texts = list(helps(loopcast, "loopcast"))
    assert len(texts) > 50
    assert not [text for text in texts if re.search(r"[\\`\b]", text)]


def test_listing_plugins_imports_nothing_heavy(site: Path) -> None:
    watch = """
import atexit, sys
heavy = {"pandas", "hydra", "omegaconf", "sqlalchemy", "scipy", "statsmodels", "pygam", "holidays"}
atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))
"""
    done = start(site, "plugins", code=watch)
    assert done.returncode == 0
    assert done.stderr == "[]\n"


def test_version(site: Path) -> None:
    assert start(site, "--version").stdout == f"loopcast {version('loopcast')}\n"


def test_an_unknown_command(site: Path) -> None:
    done = start(site, "rnu")
    assert done.returncode == 2
    assert "No such command 'rnu'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["plugins", "--disable", "acne"],
            "plugin 'acne' cannot be disabled; did you mean 'acme'? "
            "Installed: acme, credit, forecasting, recommender",
        ),
        (
            ["run", "logical_model=town", "seed=-1"],
            "the command line: seed: expected `int` >= 0, got -1",
        ),
        (
            ["run", "logical_model=town", "--disable", "acme"],
            "the command line: logical_model: logical_model has no option 'town'; "
            "Valid: credit_application, credit_prescreen, credit_underwriting, movie_picks, "
            "movie_ratings, nem_demand, victoria_demand; "
            "plugin 'acme' (loopcast-acme 1.2.3) is disabled",
        ),
        (
            ["run", "--disable=forecasting", "--disable", "acme", "template=acme.mean"],
            "the command line: template: template 'acme.mean' is not available: "
            "plugin 'acme' (loopcast-acme 1.2.3) is disabled",
        ),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(site: Path, arguments: list[str], told: str) -> None:
    install(site, "acme", ACME, files=CONF)
    done = start(site, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"loopcast: error: {told}\n"
    assert not (site.parent / "loopcast-home").exists()


def test_a_plugin_disabled_by_the_environment_is_not_imported(site: Path) -> None:
    install(site, "acme", "raise SystemExit('imported')")
    done = start(site, "run", "--cfg", "job", LOOPCAST_DISABLE_PLUGINS="acme")
    assert done.returncode == 0, done.stderr
    assert "name: victoria_demand" in done.stdout


def test_a_broken_plugin_stops_nothing_else(site: Path) -> None:
    install(site, "wrong", "import no_such_module")
    done = start(site, "run", "--cfg", "job", "--package", "logical_model.name")
    assert (done.returncode, done.stdout) == (0, "victoria_demand\n"), done.stderr


def test_run_hands_the_settings_to_the_job(site: Path) -> None:
    install(site, "acme", ACME, files=CONF)
    fake = """
import sys, types
module = types.ModuleType("loopcast.cli.run")
def execute(settings, run_dir, plugins):
    print(settings.template.name, run_dir.parent.name, plugins.template("acme.mean").name)
module.execute = execute
sys.modules["loopcast.cli.run"] = module
"""
    done = start(site, "run", "logical_model=town", code=fake)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "acme.mean town acme.mean\n"


def test_what_is_left_at_the_end_is_not_searched_for_cycles(site: Path) -> None:
    watch = "import atexit, gc\natexit.register(lambda: print(gc.get_freeze_count() > 1_000))"
    assert start(site, "--version", code=watch).stdout.splitlines()[-1] == "True"
