"""How much of each room of the engine its tests reach: `python tests/covered`, by hand; it takes an hour and more.

Lines and branches are counted, in greenlets, threads and the processes that tests start. Tests of what is no engine are
left out (`LEFT_OUT`), and so are the rooms that they are about; `python tests/covered tests/sqs tests/sns` runs those
alone. `--missing kernel` lists what was not reached in a room; `--data FILE` keeps the measurement, and with `--again`
a kept one is printed without running anything. `README.md` beside it has the last table, and what is missing.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = (
    "labs", "solutions", "tests/browser", "tests/gallery", "tests/notebooks", "tests/exercises", "tests/workbench",
    "tests/views", "tests/cli", "tests/test_cli.py", "tests/test_package.py", "tests/test_binder.py",
    "tests/test_ci.py",
)  # fmt: skip
NO_ENGINE = ("views", "workbench", "exercises", "cli", "texts")
SETTINGS = """
[run]
branch = true
concurrency = greenlet,thread
parallel = true
patch = subprocess
source = {root}/lablib
omit = {omitted}
data_file = {data}
[report]
exclude_also =
    if TYPE_CHECKING:
    ^\\s*\\.\\.\\.$
    : \\.\\.\\.$
"""


def measure(settings: Path, tests: list[str]) -> int:
    """Run the tests, and put together what their processes have seen. The exit status of pytest."""
    coverage = [sys.executable, "-m", "coverage"]
    command = [*coverage, "run", f"--rcfile={settings}", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    command += [f"--ignore={ROOT / path}" for path in LEFT_OUT if not tests]
    done = subprocess.run(command, cwd=ROOT)
    subprocess.run([*coverage, "combine", "-q", f"--rcfile={settings}"], cwd=ROOT, check=True)
    return done.returncode


def room_of(path: str) -> str:
    """kernel, services/sqs, cloud.py: what a file belongs to."""
    parts = Path(path).parts[1:]
    depth = 2 if parts[0] == "services" else 1
    return "/".join(parts[:depth])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tests", nargs="*", help="tests to run; without any, all but those that are left out")
    parser.add_argument("--missing", metavar="ROOM", help="list what was not reached in that room")
    parser.add_argument("--data", type=Path, help="the file that keeps the measurement")
    parser.add_argument("--again", action="store_true", help="print what --data holds")
    options = parser.parse_args()
    if sys.version_info < (3, 12):
        parser.error("this needs Python 3.12 or later: before, a limit in real time does not end a traced loop")
    with tempfile.TemporaryDirectory() as folder:
        data = options.data.resolve() if options.data else Path(folder, "data")
        settings, report = Path(folder, "settings"), Path(folder, "report.json")
        omitted = ",".join(f"{ROOT}/lablib/{room}/*" for room in NO_ENGINE)
        settings.write_text(SETTINGS.format(root=ROOT, data=data, omitted=omitted))
        status = 0 if options.again else measure(settings, options.tests)
        command = [sys.executable, "-m", "coverage", "json", "-q", f"--rcfile={settings}", "-o", str(report)]
        subprocess.run(command, cwd=ROOT, check=True)
        files = json.loads(report.read_text())["files"]
    rooms: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for path, about in files.items():
        numbers = about["summary"]
        for position, name in enumerate(("num_statements", "covered_lines", "num_branches", "covered_branches")):
            rooms[room_of(path)][position] += numbers[name]
        if room_of(path) == options.missing:
            jumps = ", ".join(f"{a}->{b}" for a, b in about["missing_branches"])
            print(f"{path}: lines {about['missing_lines']}; branches {jumps}")
    print("| room | statements | reached | branches | reached | both |\n| --- | --- | --- | --- | --- | --- |")
    rooms["all"] = [sum(column) for column in zip(*rooms.values())]
    for room, (lines, seen, branches, taken) in sorted(rooms.items(), key=lambda item: (item[0] == "all", item[0])):
        both = 100 * (seen + taken) / ((lines + branches) or 1)
        print(f"| {room} | {lines:,} | {seen:,} | {branches:,} | {taken:,} | {both:.1f} % |")
    return status


if __name__ == "__main__":
    sys.exit(main())
