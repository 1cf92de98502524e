"""Fixtures over the harness: one server for all tests, a page for each file."""

from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import pytest
from browser import harness
from playwright.sync_api import Browser

SETUP = (
    "from lablib.scenarios.lab01 import VideoQueue\nfrom lablib.scenarios.lab02 import Visibility\n"
    "from lablib.workbench import Choice, Curve, predict, workbench\n"
)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Lab]:
    with harness.jupyterlab(tmp_path_factory.mktemp("learner")) as lab:
        yield lab


@pytest.fixture(scope="module")
def open_notebook(chromium: Browser, lab: harness.Lab) -> Iterator[Callable[..., harness.Notebook]]:
    """A function that opens a notebook of the lab's folder, by name, in a fresh page, as a new learner. Closed after
    the file's tests.
    """
    opened: list[harness.Notebook] = []

    def open_one(name: str, **view: Any) -> harness.Notebook:
        lab.forget()
        opened.append(harness.open_notebook(chromium, lab, name, **view))
        return opened[-1]

    yield open_one
    for notebook in opened:
        notebook.page.close()


@pytest.fixture(scope="module")
def run_cells(request, open_notebook, lab) -> Callable[..., harness.Notebook]:
    """A function that writes a notebook of these cells into the learner's folder, opens it and runs it."""
    count = iter(range(100))

    def run(*cells: str, **view: int) -> harness.Notebook:
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(SETUP + cell) for cell in cells], metadata=kernel
        )
        name = f"{request.module.__name__.rpartition('.')[2]}-{next(count)}.ipynb"
        nbformat.write(book, lab.folder / name)
        notebook = open_notebook(name, **view)
        notebook.run_all()
        return notebook

    return run
