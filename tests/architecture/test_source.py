"""Rules of the source that no linter of ours checks: size, and nothing that can run data."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted([*ROOT.glob("*/src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")])
MOST_LINES = 400

FORBIDDEN_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "yaml.load",
    "yaml.unsafe_load",
    "joblib.load",
    "pandas.read_pickle",
    "pd.read_pickle",
    "hydra.utils.instantiate",
    "instantiate",
}
TRUE_WORDS = {"allow_pickle"}

# Each exception reads what the run itself has written, and is explained in docs/adr.
EXCEPTIONS: dict[str, set[str]] = {"framework/src/loopcast/develop/carried.py": {"cloudpickle"}}


def names(module: Path) -> str:
    return str(module.relative_to(ROOT))


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or attribute; the empty string of anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def findings(tree: ast.AST) -> Iterator[str]:
    """What in a module could run code that came as data."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ({alias.name.split(".")[0] for alias in node.names} & FORBIDDEN_MODULES)
        elif isinstance(node, ast.ImportFrom):
            yield from {(node.module or "").split(".")[0]} & FORBIDDEN_MODULES
        elif isinstance(node, ast.Call):
            yield from {dotted(node.func)} & FORBIDDEN_CALLS
            yield from (
                f"{keyword.arg}={ast.unparse(keyword.value)}"
                for keyword in node.keywords
                if keyword.arg in TRUE_WORDS and ast.unparse(keyword.value) != "False"
            )


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Name and number of lines of each function, its docstring not counted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = ast.get_docstring(node, clean=False) is not None
            skipped = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - skipped


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {names(module): ast.parse(module.read_text()) for module in MODULES}


def test_modules_fit_on_a_few_screens() -> None:
    lines = {names(module): module.read_text().count("\n") for module in MODULES}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_no_module_can_run_data(trees: dict[str, ast.Module]) -> None:
    found = {name: set(findings(tree)) for name, tree in trees.items()}
    assert {name: each for name, each in found.items() if each} == EXCEPTIONS


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import dill as d",
        "eval(text)",
        "exec(text)",
        "yaml.load(text)",
        "pd.read_pickle(path)",
        "np.load(path, allow_pickle=True)",
        "hydra.utils.instantiate(node)",
    ],
)
def test_the_rule_notices(line: str) -> None:
    assert list(findings(ast.parse(line)))


@pytest.mark.parametrize(
    "line", ["json.loads(text)", "np.load(path, allow_pickle=False)", "record.compile(text)"]
)
def test_the_rule_lets_pass(line: str) -> None:
    assert not list(findings(ast.parse(line)))


def test_functions_are_short(trees: dict[str, ast.Module]) -> None:
    found = [
        (lines, f"{module}:{name}")
        for module, tree in trees.items()
        for name, lines in functions(tree)
    ]
    lengths = [lines for lines, _ in found]
    longest = "\n".join(f"{lines:4d} {name}" for lines, name in sorted(found, reverse=True)[:20])
    assert statistics.median(lengths) < 10, longest
    assert statistics.quantiles(lengths, n=20)[-1] < 40, longest
