"""Fixtures over the harness: one server for all tests, a page for each file."""

from collections.abc import Callable, Iterator

import pytest
from browser import harness
from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Lab]:
    with harness.jupyterlab(tmp_path_factory.mktemp("learner")) as lab:
        yield lab


@pytest.fixture(scope="module")
def open_notebook(chromium: Browser, lab: harness.Lab) -> Iterator[Callable[..., harness.Notebook]]:
    """A function that opens a notebook of the lab's folder, by name, in a fresh page; closed after the file's tests."""
    opened: list[harness.Notebook] = []

    def open_one(name: str, width: int = 1400, height: int = 1000) -> harness.Notebook:
        opened.append(harness.open_notebook(chromium, lab, name, width, height))
        return opened[-1]

    yield open_one
    for notebook in opened:
        notebook.page.close()
