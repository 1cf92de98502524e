"""What the workbench remembers in the learner's folder."""

import json
import subprocess
import sys

import pytest

from lablib.workbench.kept import Kept


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MESSAGING_LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_four_kernels_that_store_at_once_lose_nothing(home):
    code = (
        "import sys; from lablib.workbench.kept import Kept\n"
        "for n in range(25): Kept('missions.json').put(f'{sys.argv[1]}.{n}', n)"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", code, f"k{k}"]) for k in range(4)]
    assert [kernel.wait(120) for kernel in kernels] == [0, 0, 0, 0]
    assert Kept("missions.json").all() == {f"k{k}.{n}": n for k in range(4) for n in range(25)}


@pytest.mark.parametrize("text", ["", "[]", "5", "[" * 100_000, "\xff", '{"a": '])
def test_a_file_that_cannot_be_read_is_empty(home, text):
    home.mkdir()
    (home / "missions.json").write_text(text, encoding="latin-1")
    assert Kept("missions.json").all() == {}
    Kept("missions.json").put("a", 1)
    assert json.loads((home / "missions.json").read_text()) == {"a": 1}


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(home, monkeypatch):
    Kept("missions.json").put("a", 1)

    def write_text(self, text, **options):
        self.write_bytes(b"{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", write_text)
    Kept("missions.json").put("b", 2)
    assert Kept("missions.json").all() == {"a": 1}
    assert sorted(p.name for p in home.iterdir()) == ["missions.json", "missions.lock"]
