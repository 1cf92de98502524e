"""`import lablib` is quick and light; the version is said once; the package carries the files that are not Python."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("pandas", "numpy", "plotly", "ipywidgets", "anywidget", "boto3", "botocore", "hypothesis", "IPython", "duckdb")
BUDGET = 0.25  # seconds
# The same interpreter times an import whose cost is known, so a machine that is slow or busy judges itself.
YARDSTICK = "asyncio, unittest.mock, xml.dom.minidom, http.server, email.message, sqlite3, ctypes, decimal"
MEASURE = "import time; a = time.perf_counter(); import {}; print(time.perf_counter() - a)"


def best(modules: str, times: int = 5) -> float:
    command = [sys.executable, "-c", MEASURE.format(modules)]
    return min(float(subprocess.check_output(command, text=True)) for _ in range(times))


def test_import_is_quick():
    """Under 0.25 s; on a slow machine at most twice what some modules of the standard library take."""
    taken = best("lablib")
    assert taken < BUDGET or taken < 2 * best(YARDSTICK), f"import lablib takes {taken:.2f} s"


def test_import_brings_nothing_heavy():
    code = f"import json, sys, lablib; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    assert json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)) == []


def test_the_command_line_is_light_too():
    code = f"import json, sys, lablib.cli; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    assert json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)) == []


def test_a_cloud_with_queues_loads_no_other_service_and_no_access_policies():
    code = (
        "import json, sys; from lablib.cloud import Cloud; sqs = Cloud().direct('sqs'); "
        "url = sqs.create_queue(QueueName='orders')['QueueUrl']; sqs.send_message(QueueUrl=url, MessageBody='x'); "
        "rooms = {'.'.join(m.split('.')[1:3]) for m in sys.modules if m.startswith('lablib.')}; "
        "print(json.dumps(sorted(r for r in rooms if r.startswith('services.') or r == 'aws.access')))"
    )
    assert json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)) == ["services.sqs"]


def test_the_change_log_begins_with_this_version():
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest
    assert newest[1] == version("messaging-lab")


@pytest.mark.ci
def test_a_wheel_carries_every_file_of_the_package(tmp_path):
    from zipfile import ZipFile

    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT], check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    carried = set(ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "lablib").rglob("*")
        if path.suffix in (".py", ".js", ".css", ".json") or path.parent.name == "texts"
    }
    assert wanted <= carried, f"missing: {sorted(wanted - carried)}"
    assert any(entry.endswith("licenses/LICENSE") for entry in carried)


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_file_that_the_readme_names_exists():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", readme()) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_code_in_the_readme_runs():
    (code,) = re.findall(r"```python\n(.+?)```", readme(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+\.\d\d s: order 1\n", done.stdout)


def test_the_readme_and_ci_install_and_test_in_the_same_way():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert ".venv/bin/pip install -e '.[test]' && .venv/bin/pytest\n" in readme()
    assert re.search(r"pip\" install -qq -e '\.\[test\]'$", ci, re.MULTILINE)
    assert re.search(r"^pytest -q$", ci, re.MULTILINE)
