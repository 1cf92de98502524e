"""The floors of lablib/DESIGN.md, read from the code: who imports whom, who may touch a clock or chance, how long."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lablib import services
from lablib.aws import groups
from lablib.aws.event import WORK

ROOT = Path(__file__).resolve().parents[1] / "lablib"
FILES = sorted(ROOT.rglob("*.py"))

FLOORS = {
    "kernel": 0, "texts": 0, "aws": 0.5, "files": 0.7, "services": 1, "gateway": 2, "clients": 3, "actors": 3,
    "cloud": 3.5, "scenarios": 4, "measures": 5, "views": 6, "workbench": 7, "exercises": 7, "cli": 8,
}  # fmt: skip
# A run offers what the floor above computes from it, a verdict and a failing case are shown there: imported when asked
# for, never when the module is loaded.
DOORS_UP = {("scenarios/run.py", "measures"), ("scenarios/run.py", "workbench"), ("exercises/verdict.py", "workbench")}
STRANGERS = {("exercises", "workbench"), ("exercises", "views")}

# Where a package may be imported: a file, or a room. A heavy package known in one place is replaced in one place.
HOMES = {
    "greenlet": ("kernel/stacks.py",),
    "boto3": ("clients/boto.py", "clients/sessions.py"),
    "botocore": ("clients/boto.py", "clients/sessions.py"),
    "numpy": ("measures", "views/", "workbench/", "exercises/"),
    "pandas": (
        "kernel/trace.py",
        "cloud.py",
        "measures",
        "views/",
        "workbench/",
    ),  # trace, cloud: to_frame(), on demand
    "duckdb": ("aws/sql.py",),
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
# What is written as a learner writes, and runs inside processes: there, clocks, threads and chance are virtual.
ORDINARY_PROGRAMS = ("actors/agent.py", "actors/kcl.py", "actors/kpl.py")
MAY_TOUCH_THE_REAL_WORLD = ("kernel/", "cli/", *ORDINARY_PROGRAMS)
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


SERVICES_ROOM = "lablib.services."
# The registries: they find modules of ours by name, so that a new service, lab or command changes nothing there.
REGISTRIES = {
    "__init__.py", "services/__init__.py", "scenarios/scenario.py", "exercises/__init__.py", "cli/__init__.py",
    "cli/scenario.py", "kernel/stdlib/__init__.py",
}  # fmt: skip
PUBLIC_BY_CONTRACT = {"_replace", "_asdict", "_fields", "_make"}  # of named tuples
NOT_OURS = {("views/live.py", "_config")}  # a figure of plotly's
# Modules that import each other, one of the two within a function: a scenario makes runs of itself.
CIRCLES = [
    ["scenarios/run.py", "scenarios/scenario.py", "scenarios/share.py"],
    ["workbench/fanout.py", "workbench/payload.py"],
]


def sibling_errors(source: str, file: str) -> Iterator[str]:
    """A service is a leaf: what two services need is in lablib/aws."""
    if not file.startswith("services/") or file == "services/__init__.py":
        return
    mine = module(file).split(".")[2]
    for line, dotted in imports(ast.parse(source), file):
        if dotted.startswith(SERVICES_ROOM) and dotted.split(".")[2] not in (mine, "names", "find", "quotas"):
            yield f"{file}:{line}: a service imports its sibling {dotted}"


def by_name_errors(source: str, file: str) -> Iterator[str]:
    """An import whose name is computed hides from every other check here."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            computed = not isinstance(node.args[0], ast.Constant)
            if computed and file not in REGISTRIES:
                yield f"{file}:{node.lineno}: imports by a computed name; only the registries may"


def kinds_of_services() -> dict[str, set[str]]:
    """The kinds of rows that services declare, each with the services that do; calls and error codes are no kinds."""
    found: dict[str, set[str]] = {}
    for service in services.names():
        home = services.find(service).__module__.split(".")[2]
        for event in services.find(service).events:
            if event not in SHARED and not event.polls and event.label != "throttle":
                found.setdefault(event.kind, set()).add(home)
    return found


SHARED = (*groups.EVENTS, *WORK)
KINDS = kinds_of_services()
OF_A_LAB = re.compile(r"(scenarios|exercises)/lab\d\d")
# Words that mean something else there: keys and codes of AWS's documents.
OTHER_WORDS = {
    ("services/s3/__init__.py", "Deleted"),
    ("services/opensearch/__init__.py", "Deleted"),
    ("actors/kpl.py", "Expired"),
}


def kind_errors(source: str, file: str) -> Iterator[str]:
    """What a kind of row means is declared in its event; only its service and a lab that is about it name it."""
    if OF_A_LAB.match(file):
        return
    if file.endswith(".py"):
        nodes = ast.walk(ast.parse(source))
        words = [(n.lineno, n.value) for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    else:
        lines = enumerate(source.splitlines(), 1)
        words = [(number, word) for number, line in lines for word in re.findall(r"""["'`](\w+)["'`]""", line)]
    for line, word in words:
        owners = KINDS.get(word, set())
        mine = any(file.startswith((f"services/{owner}/", f"services/{owner}.py")) for owner in owners)
        if owners and not mine and (file, word) not in OTHER_WORDS:
            yield f"{file}:{line}: names {word}, which {', '.join(sorted(owners))} writes; ask its event what it means"


KNOW_NO_SERVICE = ("gateway.py", "cloud.py", "clients/")


def service_errors(source: str, file: str) -> Iterator[str]:
    """What is special about a service, it declares: the way to it knows none by name."""
    if file.startswith(KNOW_NO_SERVICE):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and node.value in services.names():
                yield f"{file}:{node.lineno}: knows the service {node.value}"


def test_two_services_do_not_mean_different_things_by_one_kind():
    """They write into one trace, and a kind has one meaning there."""
    meant: dict[str, set[int]] = {}
    for service in services.names():
        for event in services.find(service).events:
            meant.setdefault(event.kind, set()).add(id(event))
    assert [kind for kind, events in meant.items() if len(events) > 1] == []


def defined_privately(tree: ast.AST) -> set[str]:
    """The private names that a file defines: functions, methods, and attributes that it assigns to its own objects."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if ast.unparse(node.value) in ("self", "cls"):
                found.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            found.add(node.value)  # __slots__
    return {each for each in found if each.startswith("_") and not each.startswith("__")}


def private_names() -> dict[str, set[str]]:
    """By room: the private names that its files define."""
    rooms: dict[str, set[str]] = {}
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        rooms.setdefault(room(module(name(path))), set()).update(defined_privately(tree))
    return rooms


PRIVATE = private_names()


def private_errors(source: str, file: str) -> Iterator[str]:
    here = room(module(file))
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        if node.attr in PUBLIC_BY_CONTRACT or (file, node.attr) in NOT_OURS or node.attr in PRIVATE.get(here, ()):
            continue
        whose = sorted(other for other, names in PRIVATE.items() if node.attr in names)
        if whose and ast.unparse(node.value) not in ("self", "cls", "super()"):
            yield f"{file}:{node.lineno}: {ast.unparse(node)} is private to {', '.join(whose)}"


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that need each other (Tarjan's strongly connected components of more than one)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(one: str) -> None:
        order[one] = low[one] = len(order)
        stack.append(one)
        for other in sorted(graph.get(one, ())):
            if other not in order:
                visit(other)
                low[one] = min(low[one], low[other])
            elif other in stack:
                low[one] = min(low[one], order[other])
        if low[one] == order[one]:
            group = stack[stack.index(one) :]
            del stack[stack.index(one) :]
            if len(group) > 1:
                found.append(sorted(group))

    for one in sorted(graph):
        if one not in order:
            visit(one)
    return found


def executed(node: ast.AST, in_functions: bool) -> Iterator[ast.AST]:
    """The nodes of what runs when a module is loaded, and `in_functions` later: not what is for type checkers only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and not in_functions:
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from executed(child, in_functions)


def import_graph(sources: dict[str, str], in_functions: bool) -> dict[str, set[str]]:
    """Which file imports which, when it is loaded, or `in_functions` too; without the doors up."""
    files = {module(file): file for file in sources}
    graph: dict[str, set[str]] = {file: set() for file in sources}
    for file, source in sources.items():
        for node in executed(ast.parse(source), in_functions):
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            for _, dotted in imports(node, file):
                target = files.get(dotted) or files.get(dotted.rpartition(".")[0])
                if target and target != file and not (in_functions and (file, room(dotted)) in DOORS_UP):
                    graph[file].add(target)
    return graph


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


def test_no_service_imports_a_sibling():
    assert all_errors(sibling_errors) == []


def test_only_registries_import_by_name():
    assert all_errors(by_name_errors) == []


def test_no_kind_of_row_is_named_outside_its_service():
    scripts = sorted((ROOT / "workbench" / "js").rglob("*.js"))
    assert len(KINDS) > 100 and len(scripts) > 20
    assert all_errors(kind_errors, [*FILES, *scripts]) == []


def test_the_way_to_a_service_knows_none_by_name():
    assert all_errors(service_errors) == []


def test_no_room_reads_what_is_private_to_another():
    assert all_errors(private_errors) == []


def missing_files(text: str) -> list[str]:
    """The files and folders that a text names in backticks, and that are not there; NN stands for a lab's number."""
    top = ROOT.parent
    folders = [top / name for name in ("lablib", "tests", "solutions")]
    known = [path.relative_to(top).as_posix() for folder in folders for path in (folder, *folder.rglob("*"))]
    named = sorted(set(re.findall(r"`([\w/-]+(?:\.(?:py|js|mjs|md|txt)|/))`", text)) - {"my-labs/"})  # a learner's
    patterns = {name: re.escape(name.rstrip("/")).replace("NN", r"\d\d\w?") for name in named}
    patterns |= {name: pattern.replace(r"\-topic", r"\-\w+") for name, pattern in patterns.items()}
    return [name for name, pattern in patterns.items() if not any(re.search(rf"(^|/){pattern}$", k) for k in known)]


def test_the_design_names_files_that_are_there():
    text = (ROOT / "DESIGN.md").read_text(encoding="utf-8")
    assert missing_files("see `kernel/trace.py`, `services/`, `exercises/labNN.py`, `solutions/NN-topic.py`") == []
    assert missing_files("see `kernel/traces.py` and `labs2/`") == ["kernel/traces.py", "labs2/"]
    assert missing_files(text) == []


def test_modules_do_not_need_each_other():
    sources = {name(path): path.read_text(encoding="utf-8") for path in FILES}
    assert circles(import_graph(sources, in_functions=False)) == []
    assert [each for each in circles(import_graph(sources, in_functions=True)) if each not in CIRCLES] == []


def test_a_circle_is_found():
    sources = {
        "aws/a.py": "from lablib.aws import b",
        "aws/b.py": "import lablib.aws.c",
        "aws/c.py": "def late():\n    from lablib.aws.a import x",
        "aws/d.py": "if TYPE_CHECKING:\n    from lablib.aws.e import y",
        "aws/e.py": "from lablib.aws.d import z",
    }
    assert circles(import_graph(sources, in_functions=False)) == []
    assert circles(import_graph(sources, in_functions=True)) == [["aws/a.py", "aws/b.py", "aws/c.py"]]


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
        (sibling_errors, "services/sns/events.py", "from lablib.services.sqs.events import x", "imports its sibling"),
        (sibling_errors, "services/sts.py", "from lablib.services import iam", "imports its sibling"),
        (by_name_errors, "scenarios/run.py", "import_module('lab' + 'lib.workbench')", "by a computed name"),
        (kind_errors, "views/figures.py", "ENDS = ('Deleted', 'Gone')", "names Deleted, which sqs writes"),
        (kind_errors, "services/sns/events.py", "x.kind == 'Deleted'", "names Deleted, which sqs writes"),
        (kind_errors, "workbench/js/words.js", "const ends = ['Deleted']", "words.js:1: names Deleted"),
        (service_errors, "clients/boto.py", "if service == 'sqs': pass", "boto.py:1: knows the service sqs"),
        (private_errors, "gateway.py", "def f(self):\n    return self.kernel._heap", "self.kernel._heap is private to"),
        (
            home_errors,
            "services/sqs.py",
            "from botocore.exceptions import ClientError",
            "only clients/boto.py, clients/sessions.py may",
        ),
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
        (
            sibling_errors,
            "services/sns/events.py",
            "from lablib.services.sns import topics\nimport lablib.aws.arn",
        ),
        (by_name_errors, "services/__init__.py", "import_module(f'{__name__}.sqs')"),
        (kind_errors, "services/sqs/standard.py", "trace.add('Deleted')"),
        (kind_errors, "scenarios/lab01.py", "trace.where('Deleted')"),
        (kind_errors, "exercises/lab02b.py", "trace.where('Deleted')"),
        (private_errors, "kernel/process.py", "signal._waiting.append(line)"),
        (private_errors, "exercises/wiring.py", "arn._replace(region='eu-west-1')"),
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
