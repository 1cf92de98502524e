"""The floors of lablib/DESIGN.md, read from the code: who imports whom, who may touch a clock or chance, how long."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "lablib"
FILES = sorted(ROOT.rglob("*.py"))

FLOORS = {
    "kernel": 0, "texts": 0, "aws": 0.5, "services": 1, "gateway": 2, "clients": 3, "actors": 3, "cloud": 3.5,
    "scenarios": 4, "measures": 5, "views": 6, "workbench": 7, "exercises": 7, "cli": 8,
}  # fmt: skip
# A run offers what the floor above computes from it, a verdict and a failing case are shown there: imported when asked
# for, never when the module is loaded.
DOORS_UP = {("scenarios/run.py", "measures"), ("scenarios/run.py", "workbench"), ("exercises/verdict.py", "workbench")}
STRANGERS = {("exercises", "workbench"), ("exercises", "views")}

# Where a package may be imported: a file, or a room. A heavy package known in one place is replaced in one place.
HOMES = {
    "greenlet": ("kernel/process.py",),
    "boto3": ("clients/boto.py",),
    "botocore": ("clients/boto.py",),
    "numpy": ("measures", "views/", "workbench/", "exercises/"),
    "pandas": (
        "kernel/trace.py",
        "cloud.py",
        "measures",
        "views/",
        "workbench/",
    ),  # trace, cloud: to_frame(), on demand
    "plotly": ("views/", "cli/doctor.py"),
    "ipywidgets": ("workbench/",),
    "anywidget": ("workbench/",),
    "hypothesis": ("exercises/",),
    "jupyter_client": ("cli/",),
    "jupyter_core": ("cli/",),
    "nbclient": ("cli/",),
    "nbformat": ("cli/",),
}
# What makes two runs differ. Only the kernel has it, and the command line, which is outside every run.
REAL_WORLD = {"random", "secrets", "time"}
REAL_WORLD_CALLS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "uuid.uuid1", "uuid.uuid4", "os.urandom",
    "uuid1", "uuid4", "urandom",
}  # fmt: skip
MAY_TOUCH_THE_REAL_WORLD = ("kernel/", "cli/")
MOST_LINES = 500


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(dotted: str) -> str:
    """lablib.services.sqs -> services; lablib -> "" (the face)."""
    return [*dotted.split("."), ""][1]


def module(file: str) -> str:
    return ".".join(["lablib", *file.removesuffix(".py").removesuffix("/__init__").split("/")])


def imports(tree: ast.AST, file: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything imported anywhere in a file, relative imports resolved."""
    package = module(file).split(".") if file.endswith("__init__.py") else module(file).split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            name = node.args[0]
            if isinstance(name, ast.Constant):  # by a string: as good as any other import
                yield node.lineno, str(name.value)


def floor_errors(source: str, file: str) -> Iterator[str]:
    here = room(module(file))
    if here not in FLOORS:
        yield f"{file}: give {here!r} a floor, in lablib/DESIGN.md and in tests/test_floors.py"
        return
    for line, dotted in imports(ast.parse(source), file):
        if dotted.split(".")[0] != "lablib":
            continue
        there = room(dotted)
        if there not in FLOORS:
            if here != "cli":
                yield f"{file}:{line}: imports {dotted} from the face; import it from its own module"
        elif FLOORS[there] > FLOORS[here] and (file, there) not in DOORS_UP:
            yield f"{file}:{line}: {here} (floor {FLOORS[here]}) imports {dotted} (floor {FLOORS[there]})"
        elif (here, there) in STRANGERS and (file, there) not in DOORS_UP:
            yield f"{file}:{line}: {here} must not know {there}, but imports {dotted}"


def home_errors(source: str, file: str) -> Iterator[str]:
    for line, dotted in imports(ast.parse(source), file):
        homes = HOMES.get(dotted.split(".")[0])
        if homes and not file.startswith(homes):
            yield f"{file}:{line}: imports {dotted}; only {', '.join(homes)} may"


def real_world_errors(source: str, file: str) -> Iterator[str]:
    if file.startswith(MAY_TOUCH_THE_REAL_WORLD):
        return
    tree = ast.parse(source)
    for line, dotted in imports(tree, file):
        if dotted.split(".")[0] in REAL_WORLD or dotted.startswith("numpy.random"):
            yield f"{file}:{line}: imports {dotted}; ask the kernel for time and chance"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if ".".join(called.split(".")[-2:]) in REAL_WORLD_CALLS or ".random." in f".{called}":
                yield f"{file}:{node.lineno}: calls {called}(); ask the kernel for time and chance"


def all_errors(check, files=FILES) -> list[str]:
    return [error for path in files for error in check(path.read_text(encoding="utf-8"), name(path))]


def test_an_import_goes_down_or_stays():
    assert all_errors(floor_errors, [path for path in FILES if path != ROOT / "__init__.py"]) == []


def test_the_kernel_needs_the_standard_library_and_greenlet_only():
    import sys

    known = {*sys.stdlib_module_names, "greenlet", "lablib", "pandas"}
    foreign = [
        f"{name(path)}:{line}: {dotted}"
        for path in FILES
        if name(path).startswith("kernel/")
        for line, dotted in imports(ast.parse(path.read_text(encoding="utf-8")), name(path))
        if dotted.split(".")[0] not in known
    ]
    assert foreign == []


def test_each_heavy_package_is_known_in_one_place():
    assert all_errors(home_errors) == []


def test_only_the_kernel_has_a_clock_and_chance():
    assert all_errors(real_world_errors) == []


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_file_holds_two_concepts(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, (
        f"{name(path)} has {lines} lines, more than {MOST_LINES}: it holds two concepts; split it"
    )


@pytest.mark.parametrize(
    ("check", "file", "source", "expected"),
    [
        (
            floor_errors,
            "kernel/loop.py",
            "from lablib.services import sqs",
            "floor 0) imports lablib.services.sqs (floor 1",
        ),
        (floor_errors, "services/sqs.py", "def f():\n    from ..gateway import x", "services/sqs.py:2: services"),
        (floor_errors, "services/__init__.py", "from ..cloud import Cloud", "lablib.cloud.Cloud"),
        (floor_errors, "exercises/lab01.py", "import lablib.views.charts", "must not know views"),
        (floor_errors, "views/charts.py", "from lablib import Cloud", "from the face"),
        (floor_errors, "scenarios/share.py", "import_module('lablib.workbench')", "imports lablib.workbench"),
        (floor_errors, "surprise.py", "", "give 'surprise' a floor"),
        (home_errors, "services/sqs.py", "from botocore.exceptions import ClientError", "only clients/boto.py may"),
        (real_world_errors, "services/sqs.py", "import time", "ask the kernel"),
        (
            real_world_errors,
            "services/sqs.py",
            "import datetime as d\nd.datetime.now()",
            "sqs.py:2: calls d.datetime.now",
        ),
        (real_world_errors, "services/sqs.py", "import uuid\nuuid.uuid4()", "calls uuid.uuid4"),
        (real_world_errors, "measures", "np.random.default_rng()", "calls np.random.default_rng"),
    ],
)
def test_the_checks_can_fail(check, file, source, expected):
    (error,) = check(source, file)
    assert expected in error


@pytest.mark.parametrize(
    ("check", "file", "source"),
    [
        (floor_errors, "services/sqs.py", "from lablib.kernel import Signal\nfrom . import _base"),
        (floor_errors, "cli/check.py", "import lablib\nfrom lablib.exercises import all_exercises"),
        (home_errors, "clients/boto.py", "import boto3, botocore.session"),
        (real_world_errors, "kernel/chance.py", "from random import Random"),
        (
            real_world_errors,
            "services/sqs.py",
            "from datetime import datetime\ndatetime.fromtimestamp(0)\nchance.random()",
        ),
    ],
)
def test_the_checks_let_pass_what_is_right(check, file, source):
    assert list(check(source, file)) == []
