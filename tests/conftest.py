"""For all tests: a progress folder of their own, and no silent skip in continuous integration."""

import os
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from jupyter_client.connect import LocalPortCache

settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no test knows the clock
settings.load_profile("lab")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; what tests start must hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Ports(LocalPortCache):
    """Ports for the kernels that tests start (nbval, nbclient), from a range of this worker's own.

    Jupyter takes ports that the system calls free, a second before the kernel opens them. In between a connection of a
    browser test can get one of them, and the kernel dies at its start. The system gives away none below 32,768.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
        self._ports = cycle(range(20_000 + 1_000 * (worker % 12), 21_000 + 1_000 * (worker % 12)))

    def find_available_port(self, ip: str) -> int:
        for port in self._ports:
            with socket.socket() as probe:
                free = port not in self.currently_used_ports and probe.connect_ex((ip, port)) != 0
            if free:
                self.currently_used_ports.add(port)
                return port
        raise AssertionError("a cycle has no end")


Ports.instance()  # LocalPortCache.instance() is this one from now on

HOME = "MESSAGING_LAB_HOME"
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")
_home = pytest.StashKey[str]()


KNOWLEDGE = {
    "recorded": "recorded from AWS by a public test suite",
    "measured": "seen by us in the real software; tests/real_broker/SEEN.md says which, and when",
    "guide": "written in AWS's documentation or API reference",
    "reported": "reported by users or maintainers, in public",
    "ours": "ours: no source was found, or it is the lab's own",
}


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The table of what is known is printed by this process: no others beside it."""
    if config.option.knowledge:
        config.option.numprocesses, config.option.dist, config.option.tx = 0, "no", []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--knowledge", action="store_true", help="list from where each tested behaviour is known")


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.knowledge:
        return
    table: dict[str, dict[str, int]] = {}
    for item in session.items:
        folder = item.path.parent.name
        own = {marker.name for marker in item.own_markers} & KNOWLEDGE.keys()
        given = next((marker.name for marker in item.iter_markers() if marker.name in KNOWLEDGE), "")
        for marker in sorted(own or {given} - {""}):  # a test's own ones, else that of its module
            row = table.setdefault(folder, dict.fromkeys(KNOWLEDGE, 0))
            row[marker] += 1
            print(f"{marker:<9} {item.nodeid}")
    print("\n" + f"{'':<12}" + "".join(f"{marker:>10}" for marker in KNOWLEDGE))
    for folder, counts in sorted(table.items()):
        print(f"{folder:<12}" + "".join(f"{count:>10}" for count in counts.values()))
    from knowledge.refusals import table as refusals
    from knowledge.suites import table as suites

    print("\n" + refusals())
    print("\n" + suites())
    pytest.exit("the table of what is known is printed; no test ran", returncode=0)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_home] = tempfile.mkdtemp(prefix="messaging-lab-tests-")
    os.environ[HOME] = config.stash[_home]
    os.environ["JUPYTER_DATA_DIR"] = str(Path(config.stash[_home], "jupyter"))  # signatures of notebooks
    for marker, meaning in KNOWLEDGE.items():
        config.addinivalue_line("markers", f"{marker}: {meaning}")


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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for the tests of a file. It ends with them: until then Playwright's event loop counts as running."""
    from browser import harness

    if harness.CHROMIUM is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    from playwright.sync_api import expect

    expect.set_options(timeout=harness.PATIENCE_MS)
    with harness.chromium() as browser:
        yield browser
