"""`messaging-lab`: the learner's copies are safe, the server is private and ends cleanly, a problem is one line."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import nbformat
import pytest
from jupyter_core.paths import jupyter_data_dir
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_notebook

import lablib
from lablib.cli import check, copies, doctor, main, server
from lablib.exercises import progress
from lablib.workbench.kept import GUESSES, MISSIONS, Kept


def write(path: Path, *cells: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=[new_code_cell(c, id=f"c{i}") for i, c in enumerate(cells)]), path)
    return path


@pytest.fixture
def labs(tmp_path, monkeypatch) -> Path:
    """A project of two labs, beside the package as far as the command can see."""
    write(tmp_path / "labs" / "01-tiny.ipynb", "1 + 1")
    write(tmp_path / "labs" / "02-more.ipynb", "2 + 2")
    monkeypatch.setattr(lablib, "__file__", str(tmp_path / "lablib" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "labs"


@pytest.fixture
def mine(tmp_path) -> Path:
    return tmp_path / "my-labs"


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


# --- copies -----------------------------------------------------------------------------------------------------------


def test_the_first_delivery_copies_everything_but_hidden_files(labs, mine):
    (labs / "images").mkdir()
    (labs / "images" / "a.svg").write_text("<svg/>")
    write(labs / ".ipynb_checkpoints" / "01-tiny-checkpoint.ipynb")
    assert copies.deliver(labs, mine) == []
    assert names(mine) == ["01-tiny.ipynb", "02-more.ipynb", "images"]
    assert (mine / "images" / "a.svg").exists()


def is_trusted(path: Path) -> bool:
    Path(jupyter_data_dir()).mkdir(parents=True, exist_ok=True)
    return NotebookNotary(data_dir=jupyter_data_dir()).check_signature(nbformat.read(path, as_version=4))


def test_a_copy_is_signed_as_trusted_and_a_strange_notebook_is_not(labs, mine):
    write(labs / "01-tiny.ipynb", "2 + 3")
    assert not is_trusted(labs / "01-tiny.ipynb")
    copies.deliver(labs, mine)
    assert is_trusted(mine / "01-tiny.ipynb")
    write(labs / "01-tiny.ipynb", "2 + 4")
    copies.deliver(labs, mine)
    assert is_trusted(mine / "01-tiny.ipynb"), "an update too"
    assert not is_trusted(write(mine / "03-strange.ipynb", "print('from elsewhere')"))


def test_where_signatures_cannot_be_kept_copies_come_all_the_same(labs, mine, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "file" / "jupyter"))
    assert copies.deliver(labs, mine) == []
    assert names(mine) == ["01-tiny.ipynb", "02-more.ipynb"]


def test_an_unchanged_copy_is_updated_in_place(labs, mine):
    copies.deliver(labs, mine)
    write(labs / "01-tiny.ipynb", "new")
    assert copies.deliver(labs, mine) == ["01-tiny.ipynb: updated"]
    assert (mine / "01-tiny.ipynb").read_bytes() == (labs / "01-tiny.ipynb").read_bytes()
    assert names(mine) == ["01-tiny.ipynb", "02-more.ipynb"]


def test_a_changed_copy_is_kept_and_the_new_version_is_put_beside_it_once(labs, mine):
    copies.deliver(labs, mine)
    write(mine / "01-tiny.ipynb", "my work")
    assert copies.deliver(labs, mine) == [], "nothing new was delivered"
    write(labs / "01-tiny.ipynb", "new")
    assert copies.deliver(labs, mine) == [
        "01-tiny.ipynb: you changed yours, so it stays; the new version is 01-tiny (updated).ipynb"
    ]
    assert copies.deliver(labs, mine) == []
    assert nbformat.read(mine / "01-tiny.ipynb", 4).cells[0].source == "my work"
    assert nbformat.read(mine / "01-tiny (updated).ipynb", 4).cells[0].source == "new"


def test_an_update_that_was_worked_in_is_kept_too(labs, mine):
    copies.deliver(labs, mine)
    write(mine / "01-tiny.ipynb", "my work")
    write(labs / "01-tiny.ipynb", "second")
    copies.deliver(labs, mine)
    write(labs / "01-tiny.ipynb", "third")
    copies.deliver(labs, mine)
    assert names(mine) == ["01-tiny (updated).ipynb", "01-tiny.ipynb", "02-more.ipynb"], (
        "an untouched update is replaced"
    )
    write(mine / "01-tiny (updated).ipynb", "my work in it")
    write(labs / "01-tiny.ipynb", "fourth")
    copies.deliver(labs, mine)
    sources = {p.name: nbformat.read(p, 4).cells[0].source for p in mine.glob("01-*")}
    assert sources == {
        "01-tiny.ipynb": "my work",
        "01-tiny (updated).ipynb": "my work in it",
        "01-tiny (updated 2).ipynb": "fourth",
    }


@pytest.mark.parametrize("damage", ["", "{", "[1]", None])
def test_a_lost_list_of_deliveries_never_costs_work(labs, mine, damage):
    copies.deliver(labs, mine)
    write(mine / "01-tiny.ipynb", "my work")
    write(labs / "01-tiny.ipynb", "new")
    manifest = mine / ".messaging-lab" / "delivered.json"
    manifest.unlink() if damage is None else manifest.write_text(damage)
    copies.deliver(labs, mine)
    assert nbformat.read(mine / "01-tiny.ipynb", 4).cells[0].source == "my work"


def test_a_copy_that_was_deleted_comes_back(labs, mine):
    copies.deliver(labs, mine)
    (mine / "01-tiny.ipynb").unlink()
    copies.deliver(labs, mine)
    assert names(mine) == ["01-tiny.ipynb", "02-more.ipynb"]


def test_reset_keeps_the_learners_version_under_a_dated_name(labs, mine, capsys):
    copies.deliver(labs, mine)
    for text in ("first try", "second try"):
        write(mine / "01-tiny.ipynb", text)
        assert main(["reset", "01", "--yes"]) == 0
    kept = [nbformat.read(p, 4).cells[0].source for p in sorted(mine.glob("01-tiny (mine 20??-??-??*).ipynb"))]
    assert sorted(kept) == ["first try", "second try"]
    assert (mine / "01-tiny.ipynb").read_bytes() == (labs / "01-tiny.ipynb").read_bytes()
    assert "01-tiny.ipynb is as delivered. Yours is 01-tiny (mine " in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("", 1), ("y", 0)])
def test_reset_asks_first(labs, mine, monkeypatch, answer, code):
    copies.deliver(labs, mine)
    write(mine / "01-tiny.ipynb", "my work")
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    assert main(["reset", "01"]) == code
    assert (nbformat.read(mine / "01-tiny.ipynb", 4).cells[0].source == "my work") == bool(code)


def test_reset_forgets_what_was_guessed_and_passed_in_that_lab(labs, mine, monkeypatch):
    copies.deliver(labs, mine)
    monkeypatch.setenv(copies.HOME, str(mine / ".messaging-lab"))
    for lab in ("01", "02", "02b"):
        progress.update(f"{lab}.a", lambda record: replace(record, state="passed"))
        Kept(GUESSES).put(f"{lab}.a", {"first": 1, "last": 2})
        Kept(MISSIONS).put(f"{lab}.a", "share")

    def known():
        done = [lab for lab in ("01", "02", "02b") if progress.record(f"{lab}.a").state == "passed"]
        return done, sorted(Kept(GUESSES).all()), sorted(Kept(MISSIONS).all())

    assert main(["reset", "02", "--yes"]) == 0
    assert known() == (["01", "02b"], ["01.a", "02b.a"], ["01.a", "02b.a"])
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    assert main(["reset", "--all"]) == 1
    assert known()[0] == ["01", "02b"]
    assert main(["reset", "--all", "--yes"]) == 0
    assert known() == (["02b"], ["02b.a"], ["02b.a"]), "labs 01 and 02 are the labs that there are"


def test_reset_where_nobody_can_answer_changes_nothing(labs, mine):
    copies.deliver(labs, mine)
    write(mine / "01-tiny.ipynb", "my work")
    done = subprocess.run(
        [sys.executable, "-c", f"import lablib; lablib.__file__ = {lablib.__file__!r}; "
         "from lablib.cli import main; raise SystemExit(main(['reset', '01']))"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=clean_environment(),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "messaging-lab: nobody can answer here; add --yes\n"
    assert nbformat.read(mine / "01-tiny.ipynb", 4).cells[0].source == "my work"


def full_disk(monkeypatch, name: str) -> None:
    """Writing a file of that name fails half way."""

    def copyfile(source: Path, part: Path) -> None:
        Path(part).write_bytes(Path(source).read_bytes()[:10])
        if name in str(part):
            raise OSError(28, "No space left on device", str(part))

    monkeypatch.setattr(copies.shutil, "copyfile", copyfile)


def test_a_full_disk_is_one_line_and_leaves_nothing_half_done(labs, mine, monkeypatch, capsys):
    copies.deliver(labs, mine)
    write(mine / "01-tiny.ipynb", "my work")
    before = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
    full_disk(monkeypatch, "01-tiny")
    assert main(["reset", "01", "--yes"]) == 1
    error = capsys.readouterr().err
    assert "No space left on device" in error
    assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()} == before


def test_the_list_of_deliveries_is_replaced_as_a_whole(labs, mine, monkeypatch):
    copies.deliver(labs, mine)
    listed = mine / ".messaging-lab" / "delivered.json"
    before = listed.read_text()

    def write_text(self: Path, text: str, **options: str) -> int:
        self.write_bytes(b"{")
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", write_text)
    with pytest.raises(OSError, match="No space"):
        copies.deliver(labs, mine)
    assert listed.read_text() == before
    assert [path.name for path in listed.parent.iterdir()] == ["delivered.json"]


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reset", "42", "--yes"], "messaging-lab: there is no lab '42'; the labs are 01-tiny, 02-more\n"),
        (["run", "42"], "messaging-lab: there is no lab '42'"),
        (["check"], "messaging-lab: there is no notebook to check in my-labs; messaging-lab puts your copies there\n"),
        (["start", "--folder", "labs/01-tiny.ipynb"], "is not a folder; choose another one with --folder\n"),
    ],
)
def test_a_problem_is_one_line_and_no_traceback(labs, capsys, arguments, message):
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["--port", "0"], ["--port", "70000"], ["--port", "x"], ["reset"], ["start", "--colour", "red"],
     ["run", "01", "--limits", "1999"], ["run", "01", "--seed", "x"], ["check", "--timeout", "soon"],
     ["check", "--timeout", "nan"], ["check", "--timeout", "-1"], ["check", "--timeout", "inf"]],
)  # fmt: skip
def test_a_bad_argument_is_one_line(labs, capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("messaging-lab")
    assert error.count("\n") == 1


def test_without_the_repository_the_labs_cannot_be_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lablib, "__file__", str(tmp_path / "lablib" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    assert main([]) == 1
    assert "clone it, and in its folder run: pip install -e ." in capsys.readouterr().err


def test_a_port_in_use(labs, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    assert capsys.readouterr().err == f"messaging-lab: port {port} is in use; leave --port out to get a free one\n"


def test_a_port_of_the_system(labs, capsys, monkeypatch):
    """Below 1024 only the administrator may listen: then it is not in use, and another hint helps."""

    class Refusing(socket.socket):
        def bind(self, address):
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(server.socket, "socket", Refusing)
    assert main(["--port", "80"]) == 1
    said = "messaging-lab: port 80 is for the system's own programs; give one from 1024 to 65535\n"
    assert capsys.readouterr().err == said


def test_a_taken_8888_is_passed_over(monkeypatch):
    monkeypatch.setattr(server, "is_free", lambda port: port >= 8890)
    assert server.choose_port(None) == 8890


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert re.fullmatch(r"messaging-lab \d+\.\d+\.\d+\n", capsys.readouterr().out)


# --- the server -------------------------------------------------------------------------------------------------------


def clean_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", copies.HOME)}


def started(tmp_path: Path, **environment: str) -> tuple[subprocess.Popen, str, str]:
    """The command as a learner starts it, once it has said where the lab is: the process, the address, the token."""
    code = (
        f"import lablib; lablib.__file__ = {lablib.__file__!r}; from lablib.cli import main; raise SystemExit(main())"
    )
    home = {"JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "JUPYTER_DATA_DIR": str(tmp_path / "data")}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=clean_environment() | home | environment
    )
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    found = re.search(r": (http://127\.0\.0\.1:\d+)/lab/tree/01-tiny\.ipynb\?token=(\S+)", "".join(lines))
    assert found, lines
    return process, found[1], found[2]


def gone(base: str) -> bool:
    """Does nobody answer there any more? Asks until it is so, for a minute at most."""
    for _ in range(120):
        try:
            urlopen(f"{base}/api", timeout=5)
        except HTTPError:
            pass
        except OSError:
            return True
        time.sleep(0.5)
    return False


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads the command lines in /proc")
def test_the_token_stands_in_no_command_line_and_no_environment(labs, mine, tmp_path):
    process, base, token = started(tmp_path, AWS_ACCESS_KEY_ID="a real key", AWS_PROFILE="work")
    try:
        kernel = json.load(urlopen(Request(f"{base}/api/kernels?token={token}", data=b"{}", method="POST"), timeout=60))
        assert kernel["id"]
        seen = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command, environment = ((folder / name).read_bytes().decode() for name in ("cmdline", "environ"))
            except OSError:
                continue
            if str(tmp_path) in environment or str(tmp_path) in command:
                seen.append(command)
                assert token not in command + environment
                if "ipykernel" in command:
                    assert "a real key" not in environment
                    assert "AWS_CONFIG_FILE=/dev/null" in environment
        assert any("lablib.cli.served" in command for command in seen), seen
        assert any("ipykernel" in command for command in seen), seen
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_the_server_signs_what_was_brought_and_looks_for_no_compiler(labs, mine, tmp_path):
    process, base, token = started(tmp_path)
    try:
        page = urlopen(f"{base}/lab?token={token}", timeout=60).read().decode()
        assert '"buildAvailable": false' in page and '"buildCheck": false' in page, "a search for a compiler of pages"
        notary = NotebookNotary(data_dir=str(tmp_path / "data"))
        assert notary.check_signature(nbformat.read(mine / "01-tiny.ipynb", as_version=4))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_the_kernel_of_the_first_notebook_is_on_its_way_when_the_page_loads(labs, mine, tmp_path):
    """The page connects to the session of its notebook's path; asked for one, the server gives that."""
    process, base, token = started(tmp_path)
    try:
        address, patience = f"{base}/api/sessions?token={token}", time.monotonic() + 60
        while not (sessions := json.load(urlopen(address, timeout=60))) and time.monotonic() < patience:
            time.sleep(0.1)
        (session,) = sessions
        assert (session["path"], session["type"], session["kernel"]["name"]) == ("01-tiny.ipynb", "notebook", "python3")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_the_server_builds_no_grammar_of_addresses_when_it_starts():
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "lablib.cli.served", "--version"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin and process.stderr
        process.stdin.write("token\n[]\n")
        process.stdin.flush()  # and it stays open
        imported = process.stderr.read()
    assert "jsonschema._format" in imported
    assert "rfc3987_syntax." not in imported


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM], ids=str)
def test_the_server_ends_when_the_command_ends_however_that_comes_about(labs, mine, tmp_path, number):
    process, base, _ = started(tmp_path)
    process.send_signal(number)
    process.wait(60)
    assert gone(base)


def test_only_the_owner_can_read_the_page_that_leads_to_the_lab(tmp_path):
    (tmp_path / ".messaging-lab").mkdir()
    for _ in range(2):
        page = server.doorway(tmp_path, 'http://127.0.0.1:1/lab?token=a"b&c')
        assert page.stat().st_mode & 0o777 == 0o600
        assert 'url=http://127.0.0.1:1/lab?token=a&quot;b&amp;c"' in page.read_text()
        assert "token" not in page.as_uri()


def test_a_notebook_reaches_the_learners_own_aws_only_when_that_was_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    alone = server.environment(tmp_path, real_aws=False)
    assert {name for name in alone if name.startswith("AWS_")} == set(server.NO_AWS)
    assert server.environment(tmp_path, real_aws=True)["AWS_PROFILE"] == "work"


def test_a_loop_over_a_set_of_names_goes_the_same_way_in_every_kernel(tmp_path):
    assert server.environment(tmp_path, real_aws=False)["PYTHONHASHSEED"] == "0"


def test_the_server_is_private_has_the_labs_settings_and_ends_on_ctrl_c(labs, mine, tmp_path):
    process, base, token = started(tmp_path)
    try:
        with pytest.raises(HTTPError, match="403"):
            urlopen(f"{base}/api/contents", timeout=10)
        contents = json.load(urlopen(f"{base}/api/contents?token={token}", timeout=10))
        assert [entry["name"] for entry in contents["content"]] == ["01-tiny.ipynb", "02-more.ipynb"]
        plugins = json.load(urlopen(f"{base}/lab/api/settings?token={token}", timeout=30))["settings"]
        defaults = {
            p["id"]: {k: v.get("default") for k, v in p["schema"].get("properties", {}).items()} for p in plugins
        }
        for plugin, values in json.loads((server.SETTINGS / "overrides.json").read_text()).items():
            assert values.items() <= defaults[plugin].items(), plugin
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        with pytest.raises(OSError, match="refused"):
            urlopen(f"{base}/api", timeout=5)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def test_a_server_that_ends_at_once_is_one_line(tmp_path):
    log = tmp_path / "log"
    log.write_text("Traceback\nsome reason\n")
    with pytest.raises(copies.Problem, match="JupyterLab ended at once: some reason"):
        server.wait_until_up(SimpleNamespace(poll=lambda: 1), 1, "token", log)


def test_a_port_that_somebody_takes_at_the_last_moment_is_passed_over(labs, mine, monkeypatch, capsys):
    ports, tokens = iter([8888, 8889]), []
    ended, running = SimpleNamespace(poll=lambda: 1), SimpleNamespace(poll=lambda: 0, wait=lambda: 0)
    monkeypatch.setattr(server, "choose_port", lambda wanted: next(ports))
    monkeypatch.setattr(server, "is_free", lambda port: False)
    monkeypatch.setattr(server, "urlopen", lambda address, timeout: io.BytesIO())
    monkeypatch.setattr(
        server,
        "launch",
        lambda folder, port, token, log, real_aws, new: (
            tokens.append(token) or (log.write_text("in use") and (ended if port == 8888 else running))
        ),
    )
    running.poll = iter([None, 0]).__next__
    assert main(["--no-browser"]) == 0
    assert f"http://127.0.0.1:8889/lab/tree/01-tiny.ipynb?token={tokens[1]}" in capsys.readouterr().out
    assert tokens[0] != tokens[1], "whoever took the port has seen the first token"


def test_no_browser_is_opened_where_there_is_no_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    assert not server.can_open_browser()


# --- run --------------------------------------------------------------------------------------------------------------

RUN = ["run", "01", "--until", "60", "--seed"]


def test_run_prints_the_numbers_and_the_same_seed_gives_the_same(capsys):
    def out(*options: str) -> str:
        assert main([*RUN, *options]) == 0
        return capsys.readouterr().out

    first = out("7")
    assert re.search(r"^digest +[0-9a-f]{16} ", first, re.MULTILINE)
    assert len(re.findall(r"^\S.*  +[$\d]", first, re.MULTILINE)) > 5, "a line for each number"
    assert out("7") == first
    assert out("8") != first
    assert out("7", "--consumers", "1", "--visibility-timeout", "5") != first


def test_run_tells_the_story_of_a_message(capsys):
    from lablib.scenarios.lab01 import SCENARIOS

    run = next(iter(SCENARIOS.values()))().run(seed=7, until=60)
    message = run.trace.where(kind="Sent")[0].subject
    assert main([*RUN, "7", "--explain", message]) == 0
    assert run.explain(message) in capsys.readouterr().out
    assert main([*RUN, "7", "--explain", "nobody"]) == 1
    assert f"no message 'nobody' in this run; its messages are {message}" in capsys.readouterr().err


def test_run_lists_the_parameters_of_the_scenario(capsys):
    from lablib.scenarios.lab01 import SCENARIOS

    for name, scenario in SCENARIOS.items():
        assert main(["run", "01", "--scenario", name, "--options"]) == 0
        out = capsys.readouterr().out
        assert all(f"--{option.replace('_', '-')} " in out for option in scenario.params())


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--consumers", "1000"], 2, "messaging-lab run: consumers=1000: must be a whole number from "),
        (["--consumers", "2.5"], 2, "messaging-lab run: consumers=2.5: must be a whole number from "),
        (["--consumers", "many"], 2, "argument --consumers: invalid number value: 'many'"),
        (["--consumrs", "3"], 2, "has no option --consumrs; did you mean '--consumers'?"),
        (["--zzz"], 2, "has no option --zzz (messaging-lab run 01 --options lists them)"),
        (["--until", "-1"], 2, "messaging-lab run: until=-1.0: must be more than 0"),
        (["--until", "nan"], 2, "messaging-lab run: until=nan: must be"),
        (["--scenario", "Nothing"], 1, "messaging-lab: lab 01 has no scenario 'Nothing'; it has "),
    ],
)
def test_run_answers_a_bad_option_with_one_line(capsys, options, code, message):
    try:
        got = main(["run", "01", *options])
    except SystemExit as stopped:
        got = stopped.code
    error = capsys.readouterr().err
    assert (got, error.count("\n")) == (code, 1)
    assert message in error


# --- check ------------------------------------------------------------------------------------------------------------


def exercise(id: str, state: str) -> SimpleNamespace:
    return SimpleNamespace(id=id, title=f"Title of {id}", state=state)


def test_check_runs_the_copies_and_prints_the_states(labs, mine, monkeypatch, capsys):
    write(
        labs / "01-tiny.ipynb", "import os, pathlib", f"pathlib.Path(os.environ['{copies.HOME}'], 'ran').write_text('')"
    )
    monkeypatch.delenv(copies.HOME)
    copies.deliver(labs, mine)
    before = (mine / "01-tiny.ipynb").read_bytes()

    def all_exercises():
        ran = (mine / ".messaging-lab" / "ran").exists()
        return [
            exercise("01.a", "passed" if ran else "failed"),
            exercise("01.b", "not attempted"),
            exercise("02.a", "failed"),
        ]

    monkeypatch.setitem(sys.modules, "lablib.exercises", SimpleNamespace(all_exercises=all_exercises))
    assert main(["check", "01"]) == 0
    out = capsys.readouterr().out
    assert "✓  01.a      Title of 01.a  passed" in out
    assert "·  01.b      Title of 01.b  not attempted" in out
    assert "02.a" not in out
    assert "1 of 2 passed" in out
    assert (mine / "01-tiny.ipynb").read_bytes() == before, "the learner's notebook is not touched"
    assert main(["check", "02"]) == 1, "a failed exercise"


def test_check_knows_every_state():
    from typing import get_args

    from lablib.exercises.progress import State

    assert set(check.MARKS) == set(get_args(State))


def test_check_names_the_cell_that_fails_and_runs_the_others(tmp_path):
    path = write(tmp_path / "01-bad.ipynb", "1 / 0", f"open({str(tmp_path / 'after')!r}, 'w').close()")
    assert check.run_notebook(path, 60) == ["01-bad.ipynb: cell 1 ends with ZeroDivisionError: division by zero"]
    assert (tmp_path / "after").exists()


def test_check_gives_up_on_a_cell_that_never_ends(tmp_path):
    started = time.monotonic()
    assert check.run_notebook(write(tmp_path / "01-slow.ipynb", "while True: pass"), 1) == [
        "01-slow.ipynb: a cell took more than 1 s; the cells after it did not run"
    ]
    assert time.monotonic() - started < 30


ABOUT = '"metadata": {}, "nbformat": 4, "nbformat_minor": 5'


@pytest.mark.parametrize(
    "text",
    ["hello", "", "[]", "5", "{", "[" * 100_000, "\xff\xfe", f'{{"cells": 5, {ABOUT}}}', f'{{"cells": [5], {ABOUT}}}',
     f'{{"cells": [{{"cell_type": "code", "source": 5}}], {ABOUT}}}', '{"nbformat": 999, "cells": []}',
     '{"nbformat": "x"}', '{"nbformat": null}'],
    ids=lambda text: text[:50],
)  # fmt: skip
def test_check_says_what_is_not_a_notebook(tmp_path, text):
    (tmp_path / "01-x.ipynb").write_text(text, encoding="latin-1")
    with pytest.raises(copies.Problem, match="is not a notebook; messaging-lab reset puts it back"):
        check.run_notebook(tmp_path / "01-x.ipynb", 10)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_check_waits_for_no_pipe_and_reads_no_folder(tmp_path, make):
    make(tmp_path / "01-x.ipynb")
    with pytest.raises(copies.Problem, match="is not a notebook"):
        check.run_notebook(tmp_path / "01-x.ipynb", 10)


@pytest.mark.parametrize("command", ["start", "check", "reset", "doctor", "run"])
def test_links_that_go_round_are_one_line(labs, tmp_path, capsys, command):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    more = {"reset": ["01", "--yes", "--folder", str(loop)], "run": [str(loop / "x.py")]}
    assert main([command, *more.get(command, ["--folder", str(loop)])]) in (1, 2)
    told = capsys.readouterr()
    assert "Traceback" not in told.err + told.out
    assert command == "doctor" or told.err.count("\n") == 1


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_doctor_finds_nothing_wrong_here(labs, capsys):
    code = main(["doctor"])
    out = capsys.readouterr().out
    assert code == 0, out
    for word in ("Python 3", "jupyterlab", "greenlet", "widgets:", "kernel:", "lab settings:", "labs: 2 in", "folder:"):
        assert f"ok       {word}" in out
    assert "Everything the lab needs is here." in out


def test_doctor_names_each_problem_and_what_to_do(labs, monkeypatch, capsys):
    def version(name: str) -> str:
        if name == "greenlet":
            raise doctor.PackageNotFoundError(name)
        return "0.1" if name == "plotly" else "999"

    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "kernel", lambda: "kernel: not started here")
    assert main(["doctor", "--folder", "/proc/nowhere/my-labs"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"PROBLEM  greenlet is missing; run: .* -m pip install 'greenlet>=", out)
    assert re.search(r"PROBLEM  plotly 0.1 is installed; run: .* -m pip install -U 'plotly>=", out)
    assert re.search(r"PROBLEM  cannot write in /proc/nowhere", out)
    assert "3 problems, see above." in out


def test_doctor_knows_a_folder_in_which_jupyter_cannot_write(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "file" / "runtime"))
    with pytest.raises(copies.Problem, match=r"cannot write its folder .*runtime .*; set JUPYTER_RUNTIME_DIR to one"):
        doctor.jupyters_own()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    assert doctor.jupyters_own().endswith("can be written")


def test_doctor_knows_a_kernel_of_another_python(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/somewhere/else")
    with pytest.raises(copies.Problem, match="the kernel 'python3' is not this Python"):
        doctor.kernel()


def test_doctor_knows_a_setting_that_jupyterlab_does_not_have(tmp_path, monkeypatch):
    (tmp_path / "overrides.json").write_text('{"@jupyterlab/notebook-extension:tracker": {"windowingMod": "defer"}}')
    monkeypatch.setattr(doctor, "SETTINGS", tmp_path)
    with pytest.raises(copies.Problem, match="does not know @jupyterlab/notebook-extension:tracker windowingMod"):
        doctor.settings()
