"""Continuous integration skips nothing silently."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = {
    "test_skipped.py": "import pytest\ndef test_a(): pytest.skip('no browser')\n",
    "test_module.py": "import pytest\npytest.importorskip('a_package_that_does_not_exist')\n",
    "test_known.py": "import pytest\n@pytest.mark.xfail\ndef test_a(): assert 0\n",
}


@pytest.mark.parametrize(
    ("ci", "result"), [("true", "1 failed, 1 xfailed, 1 error in"), ("", "2 skipped, 1 xfailed in")]
)
def test_a_skip_fails_in_ci_and_only_there(tmp_path, ci, result):
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for name, text in SKIPS.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:xdist",
            "-p",
            "no:cacheprovider",
            "--continue-on-collection-errors",
        ],
        cwd=tmp_path,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
    )
    assert result in done.stdout
