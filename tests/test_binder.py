"""What Binder installs is complete, pinned, within the package's own bounds, and runs the first lab."""

import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lablib.cli.doctor import run_time_requirements

ROOT = Path(__file__).resolve().parents[1]
LINES = [
    line
    for line in (ROOT / "binder" / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
PINS = {canonicalize_name(line.split("==")[0]): line.split("==")[-1] for line in LINES}


def test_every_line_is_an_exact_pin():
    assert [line for line in LINES if not re.fullmatch(r"[\w.-]+==[\w.+!-]+", line)] == []
    assert len(PINS) == len(LINES)


@pytest.mark.parametrize("need", run_time_requirements(), ids=str)
def test_a_run_time_dependency_is_pinned_within_its_bound(need):
    assert canonicalize_name(need.name) in PINS
    assert need.specifier.contains(PINS[canonicalize_name(need.name)])


def test_what_the_pinned_packages_need_is_pinned_too():
    """Read from the packages installed here, as far as they are the pinned version."""
    missing, looked_at = [], 0
    for name, version in PINS.items():
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue
        if installed.version != version:
            continue
        looked_at += 1
        for need in map(Requirement, installed.requires or []):
            asked = need.marker is None or need.marker.evaluate(
                {"extra": "", "python_version": "3.11", "sys_platform": "linux"}
            )
            if asked and canonicalize_name(need.name) not in PINS and need.name != "setuptools":
                missing.append(f"{name} needs {need}")
    assert missing == []
    assert looked_at


def test_the_python_is_one_that_the_package_allows():
    found = re.fullmatch(r"python-(\d+\.\d+)\n", (ROOT / "binder" / "runtime.txt").read_text())
    assert found
    allowed = re.search(r'requires-python = "(.+)"', (ROOT / "pyproject.toml").read_text())
    assert allowed
    assert Requirement(f"python{allowed[1]}").specifier.contains(found[1])


@pytest.mark.ci
def test_binder_can_run_the_first_lab(tmp_path):
    """A fresh environment, exactly requirements.txt, then postBuild; then the doctor, and lab 01 from top to bottom."""
    project = tmp_path / "project"
    leave = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "my-labs", "build")
    shutil.copytree(ROOT, project, ignore=leave)
    venv.create(tmp_path / "env", with_pip=True)
    binaries = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin")

    def run(*command: str) -> str:
        environment = {"PATH": f"{binaries}:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        done = subprocess.run(command, cwd=project, env=keep_pip_settings(environment), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    run("python", "-m", "pip", "install", "-q", "--no-deps", "-r", "binder/requirements.txt")
    run("bash", "binder/postBuild")
    run("python", "-m", "pip", "check")
    run("messaging-lab", "doctor")
    errors = "from lablib.cli.check import run_notebook; print(run_notebook(Path('labs/01-sqs.ipynb'), 300))"
    assert run("python", "-c", f"from pathlib import Path; {errors}") == "[]\n"
    trusted = (
        "from nbformat import read, sign; print(sign.NotebookNotary().check_signature(read('labs/01-sqs.ipynb', 4)))"
    )
    assert run("python", "-c", trusted) == "True\n"
    assert (tmp_path / "env/share/jupyter/lab/settings/overrides.json").exists()


def keep_pip_settings(environment: dict[str, str]) -> dict[str, str]:
    """An environment as empty as Binder's, but with this machine's way to the package index."""
    import os

    wanted = re.compile(r"PIP_\w+|SSL_\w+|REQUESTS_\w+|\w+_proxy|\w+_PROXY")
    return environment | {key: value for key, value in os.environ.items() if wanted.fullmatch(key)}
