"""Build the notebooks: from solutions/NN-topic.py to solutions/NN-topic.ipynb and labs/NN-topic.ipynb.

python tests/notebooks/build.py             build all
python tests/notebooks/build.py 01          build lab 01
python tests/notebooks/build.py --check     say which notebooks are out of date; change nothing

The source is jupytext's py:percent. In the lab, each region between `### BEGIN SOLUTION` and `### END SOLUTION` becomes
one line, `...`, at the indentation of its first marker. In the solution only the marker lines go. Both notebooks are
run in a real kernel, from top to bottom. The solution keeps its outputs. The lab keeps nothing that a learner should
find out: a workbench leaves its poster, a picture of the stage before anything happens, and nothing else stays. What
differs between builds is taken out, so a rebuild changes no byte.
"""

import argparse
import html
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import minutes  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PLACEHOLDER = "..."
CELL_TIMEOUT = 300  # seconds
MARKER = re.compile(r"^(?P<indent>[ \t]*)### (?P<which>BEGIN|END) SOLUTION[ \t]*$")
NEAR_MARKER = re.compile(r"#\s*(BEGIN|END) SOLUTION", re.IGNORECASE)
NEW_CELL = re.compile(r"^# ?%%(?P<markdown>.*\[(markdown|md|raw)\])?")
SVG = "image/svg+xml"
POSTER = re.compile(r'data-messaging-lab="poster"[^>]*><title>(?P<title>.*?)</title>')
IGNORE_OUTPUT = "nbval-ignore-output"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class SourceError(Exception):
    """The source cannot be derived from; the text names file and line."""


def derive(text: str, name: str) -> tuple[str, str]:
    """The lab's and the solution's py:percent text, from the source's.

    `name` is the file's, for errors. Raises SourceError for a region that is nested, unclosed (also at the end of its
    cell), closed without being open, in a cell that is not code, or a marker that is misspelt.
    """
    lab: list[str] = []
    solution: list[str] = []
    opened = 0
    code = False

    def fail(line: int, what: str) -> SourceError:
        return SourceError(f"{name}:{line}: {what}")

    for number, line in enumerate(text.splitlines(), start=1):
        marker = MARKER.match(line)
        if cell := NEW_CELL.match(line):
            code = not cell["markdown"]
        if opened and cell:
            raise fail(opened, "this ### BEGIN SOLUTION has no ### END SOLUTION in its cell")
        if not marker and NEAR_MARKER.search(line):
            raise fail(
                number, f"write '### BEGIN SOLUTION' or '### END SOLUTION' alone on its line, not {line.strip()!r}"
            )
        if marker and not code:
            raise fail(number, "a solution region belongs in a code cell")
        if marker and marker["which"] == "BEGIN":
            if opened:
                raise fail(number, f"this ### BEGIN SOLUTION is inside the region opened on line {opened}")
            opened = number
            lab.append(marker["indent"] + PLACEHOLDER)
        elif marker:
            if not opened:
                raise fail(number, "this ### END SOLUTION closes nothing")
            opened = 0
        else:
            solution.append(line)
            if not opened:
                lab.append(line)
    if opened:
        raise fail(opened, "this ### BEGIN SOLUTION has no ### END SOLUTION")
    return "\n".join(lab) + "\n", "\n".join(solution) + "\n"


def notebook(text: str, source: str) -> NotebookNode:
    """An unexecuted notebook of a py:percent text; metadata and cell ids depend on the text only."""
    nb = jupytext.reads(text, fmt="py:percent")
    nb.metadata = NotebookNode(
        kernelspec=NotebookNode(KERNEL),
        language_info=NotebookNode(name="python"),
        messaging_lab=NotebookNode(source=source),
    )
    nb.nbformat, nb.nbformat_minor = 4, 5
    seen: Counter[str] = Counter()
    for cell in nb.cells:
        digest = sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        cell.id = f"{digest}-{seen[digest]}"
        seen[digest] += 1
        tags = cell.metadata.get("tags")
        cell.metadata = NotebookNode(tags=tags) if tags else NotebookNode()
    return nb


def execute(nb: NotebookNode, folder: Path) -> None:
    """Run `nb` in place, in `folder`, in a kernel of this interpreter, with an empty progress folder."""
    with tempfile.TemporaryDirectory(prefix="messaging-lab-") as home:
        client = NotebookClient(
            nb,
            timeout=CELL_TIMEOUT,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env={**os.environ, "MESSAGING_LAB_HOME": home}, stderr=subprocess.DEVNULL)
    nb.metadata.pop("widgets", None)
    nb.metadata.language_info = NotebookNode(name="python")
    for output in (o for cell in nb.cells for o in cell.get("outputs", ())):
        # A live view is a random id of a model that died with its kernel; what stays is the text (and image) beside it.
        output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


def keep_posters(nb: NotebookNode) -> None:
    """Take the outputs out of an executed lab, but for the posters of its workbenches. nbval wants a number at a cell
    with an output; it is told not to compare it, since the run shows the result too.
    """
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        found = [(o, POSTER.search(o.get("data", {}).get(SVG, ""))) for o in cell.outputs]
        cell.outputs = [
            NotebookNode({**o, "data": NotebookNode({SVG: o.data[SVG], "text/plain": html.unescape(poster["title"])})})
            for o, poster in found
            if poster
        ]
        if cell.outputs:
            cell.metadata.tags = [*cell.metadata.get("tags", []), IGNORE_OUTPUT]
        else:
            cell.execution_count = None


def derived(source: Path) -> dict[Path, NotebookNode]:
    """The two notebooks of a source, not yet run, by the path they belong at."""
    root = source.parent.parent
    name = source.relative_to(root).as_posix()
    texts = derive(minutes.fill(source.read_text(encoding="utf-8"), missions(source)), name)
    return {
        root / folder / f"{source.stem}.ipynb": notebook(text, name)
        for folder, text in zip(("labs", "solutions"), texts, strict=True)
    }


def missions(source: Path) -> int:
    """How many missions the texts of this lab have."""
    path = source.parent.parent / "lablib" / "texts" / f"{source.stem.split('-')[0]}.md"
    return len(re.findall(r"^## mission ", path.read_text(encoding="utf-8"), re.MULTILINE)) if path.exists() else 0


def length(source: Path) -> str:
    """How long a lab takes, in words."""
    core, extra = minutes.minutes(source.read_text(encoding="utf-8"), missions(source))
    return f"{source.stem}: {core} minutes, and {extra} for what is extra"


def build(source: Path) -> list[Path]:
    """Write and run both notebooks of a source; returns their paths. Nothing is written when a cell fails."""
    made = derived(source)
    for path, nb in made.items():
        path.parent.mkdir(exist_ok=True)
        try:
            execute(nb, path.parent)
        except CellExecutionError as error:
            raise SourceError(f"{source.name}: a cell of {path.parent.name}/{path.name} fails:\n{error}") from None
        if path.parent.name == "labs":
            keep_posters(nb)
    for path, nb in made.items():
        path.write_text(nbformat.writes(nb) + "\n", encoding="utf-8")
    return list(made)


def stale(source: Path) -> Iterator[str]:
    """One line for each notebook of a source that is missing or out of date. Outputs are nbval's work."""
    for path, fresh in derived(source).items():
        where = f"{path.parent.name}/{path.name}"
        again = f"run: python tests/notebooks/build.py {source.stem.split('-')[0]}"
        if not path.exists():
            yield f"{where} is missing; {again}"
            continue
        stored = nbformat.read(path, as_version=4)
        for number, (new, old) in enumerate(zip(fresh.cells, stored.cells), start=1):
            if _content(new) != _content(old):
                yield f"{where} is out of date at cell {number}; {again}"
                break
        else:
            if len(fresh.cells) != len(stored.cells):
                yield f"{where} has {len(stored.cells)} cells, its source {len(fresh.cells)}; {again}"


def orphans(root: Path) -> Iterator[str]:
    """One line for each notebook in labs/ and solutions/ that no source makes."""
    names = {source.stem for source in sources(root)}
    for path in sorted([*(root / "labs").glob("*.ipynb"), *(root / "solutions").glob("*.ipynb")]):
        if path.stem not in names:
            yield f"{path.parent.name}/{path.name} has no source solutions/{path.stem}.py; delete it or write that"


def sources(root: Path, only: str = "") -> list[Path]:
    """The sources of all labs, or of the one whose number or name `only` is."""
    found = sorted((root / "solutions").glob("[0-9][0-9]*-*.py"))
    if only:
        found = [path for path in found if only in (path.stem, path.stem.split("-")[0])]
        if not found:
            raise SourceError(f"there is no lab {only!r} in solutions/")
    return found


def _content(cell: NotebookNode) -> tuple[str, str, str, list[str]]:
    tags = [tag for tag in cell.metadata.get("tags", []) if tag != IGNORE_OUTPUT]
    return cell.id, cell.cell_type, cell.source, tags


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lab", nargs="?", default="", help="a lab's number or name, such as 01 (default: all)")
    parser.add_argument("--check", action="store_true", help="only say which notebooks are out of date")
    args = parser.parse_args(arguments)
    try:
        chosen = sources(root, args.lab)
        print("\n".join(map(length, chosen)))
        if args.check:
            problems = [line for source in chosen for line in stale(source)] + ([] if args.lab else list(orphans(root)))
            print("\n".join(problems) or f"{len(chosen)} sources, all notebooks up to date")
            return 1 if problems else 0
        for source in chosen:
            for path in build(source):
                print(f"{path.relative_to(root)}  {path.stat().st_size / 1000:.0f} kB")
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
