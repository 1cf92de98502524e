"""`messaging-lab check`: run the learner's notebooks, then print the state of every exercise."""

import os
import subprocess
from argparse import Namespace
from pathlib import Path

from lablib.cli.copies import HOME, PATTERN, Problem, find, home, labs_folder

MARKS = {"passed": "✓", "failed": "✗", "not attempted": "·"}


def run_notebook(path: Path, timeout: float) -> list[str]:
    """Run a notebook as it is, in a kernel of this interpreter, unchanged; one line for each cell that failed."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    wrong = Problem(f"{path} is not a notebook; messaging-lab reset puts it back as delivered")
    if not path.is_file():
        raise wrong
    try:
        nb = nbformat.read(path, as_version=4)
    except OSError:
        raise
    except Exception:  # nbformat trips over what is no notebook in many ways
        raise wrong from None
    client = NotebookClient(
        nb,
        timeout=timeout,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute(env=dict(os.environ), stderr=subprocess.DEVNULL)
    except CellTimeoutError:
        return [f"{path.name}: a cell took more than {timeout:g} s; the cells after it did not run"]
    except DeadKernelError:
        return [f"{path.name}: the kernel died; the cells after that did not run"]
    return [
        f"{path.name}: cell {number} ends with {output.ename}: {output.evalue.splitlines()[0] if output.evalue else ''}"
        for number, cell in enumerate(nb.cells, start=1)
        for output in cell.get("outputs", ())
        if output.output_type == "error"
    ]


def table(rows: list[tuple[str, ...]]) -> str:
    """Left-aligned columns; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def command(args: Namespace, rest: list[str]) -> int:
    """`messaging-lab check`; 1 when a cell or an exercise failed."""
    labs = labs_folder()
    names = [find(labs, lab).name for lab in args.lab] or sorted(p.name for p in labs.glob(PATTERN))
    notebooks = [path for name in names if (path := args.folder / name).exists()]
    if not notebooks:
        raise Problem(f"there is no notebook to check in {args.folder}; messaging-lab puts your copies there")
    os.environ[HOME] = str(home(args.folder))
    problems = []
    for path in notebooks:
        print(f"running {path} ...", flush=True)
        problems += run_notebook(path, args.timeout)
    from lablib.exercises import all_exercises

    numbers = {path.name.split("-")[0] for path in notebooks}
    exercises = [e for e in all_exercises() if e.id.split(".")[0] in numbers]
    rows: list[tuple[str, ...]] = [("", "exercise", "title", "state")]
    rows += [(MARKS[e.state], e.id, e.title, e.state) for e in exercises]
    print("", table(rows), "", sep="\n")
    print(f"{sum(e.state == 'passed' for e in exercises)} of {len(exercises)} passed")
    print(*problems, sep="\n", end="\n" if problems else "")
    return 1 if problems or any(e.state == "failed" for e in exercises) else 0
