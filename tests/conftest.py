"""For all tests: a progress folder of their own, and no silent skip in continuous integration."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = "MESSAGING_LAB_HOME"
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")
_home = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_home] = tempfile.mkdtemp(prefix="messaging-lab-tests-")
    os.environ[HOME] = config.stash[_home]


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_home], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.path.suffix == ".ipynb":  # nbval starts the notebook's kernel after this; each begins without progress
        folder = Path(item.config.stash[_home], f"{item.path.parent.name}-{item.path.stem}")
        folder.mkdir(exist_ok=True)
        os.environ[HOME] = str(folder)


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, which continuous integration (CI={os.environ['CI']}) does not allow: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    _fail_if_skipped(report)
    return report
