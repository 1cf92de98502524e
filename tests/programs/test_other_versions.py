"""Another version of Python gives the same runs, to the last digit: the digests that are committed hold for all."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROJECT = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAMED = re.compile(r"Programming Language :: Python :: (3\.\d+)")
TRIED = [found[1] for line in PROJECT["classifiers"] if (found := NAMED.fullmatch(line))]
OURS = f"{sys.version_info.major}.{sys.version_info.minor}"
NEEDED = {  # by the programs, of all that the project depends on
    "amazon-sqs-extended-client", "aws-lambda-powertools", "boto3", "dramatiq-sqs", "duckdb", "greenlet", "kombu",
    "numpy", "paho-mqtt", "pandas", "pika", "redis", "requests", "stomp.py",
}  # fmt: skip


def requirements():
    """The lines of pyproject.toml for them."""
    lines = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
    return [line for line in lines if re.split(r"[\[<>=~]", line)[0] in NEEDED]


def installed(version):
    """An interpreter of that version: on the PATH, or installed beside the one that runs. None if there is none."""
    beside = Path(sys.base_prefix).parent.glob(f"*/bin/python{version}")
    for candidate in [shutil.which(f"python{version}"), *sorted(beside, reverse=True)]:
        if candidate is not None:
            asked = subprocess.run([candidate, "-c", "import ensurepip, sys; print(sys.version)"], capture_output=True)
            if asked.stdout.decode().startswith(f"{version}."):  # a shim may stand for nothing
                return str(candidate)
    return None


def test_the_versions_that_are_tried_are_named():
    assert OURS in TRIED, f"pyproject.toml names {TRIED}, and this is {OURS}: try the tests, then name it"
    assert PROJECT["requires-python"] == f">={TRIED[0]}"
    assert len(requirements()) >= len(NEEDED)


@pytest.mark.ci
@pytest.mark.parametrize("version", [version for version in TRIED if version != OURS])
def test_another_version_gives_the_same_runs(version, tmp_path):
    """Where it is installed; a skip would fail in continuous integration, which need not have it."""
    python = installed(version)
    if python is None:
        return
    subprocess.run([python, "-m", "venv", tmp_path], check=True)
    pip = [tmp_path / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *requirements()], check=True)
    for module, seen in (("programs.at_work", "at_work_seen.txt"), ("programs.clients", "clients_seen.txt")):
        done = subprocess.run(
            [tmp_path / "bin/python", "-W", "ignore", "-m", module],
            cwd=HERE.parent,
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
            capture_output=True,
            text=True,
        )
        *runs, asked, _ = done.stdout.splitlines() or ["", ""]
        assert runs == (HERE / seen).read_text(encoding="utf-8").splitlines(), done.stderr
        assert asked == "asked of the real network: []"
