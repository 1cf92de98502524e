"""`messaging-lab start`: JupyterLab on the learner's own copies, on loopback, behind a token."""

import html
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.request import Request, urlopen

from lablib.cli.copies import HOME, PATTERN, Problem, deliver, home, labs_folder

SETTINGS = Path(__file__).with_name("settings")
HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 8888, 8987
NO_AWS = {
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # the port that discards: nobody listens there
}
PATIENCE = 120.0  # seconds for the server to answer; a cold disk takes its time


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise Problem(f"port {port} is for the system's own programs; give one from 1024 to 65535") from None
        except OSError:
            return False
    return True


def choose_port(wanted: int | None) -> int:
    """The port asked for, or the first free one from 8888. Raises Problem."""
    if wanted is not None:
        if not is_free(wanted):
            raise Problem(f"port {wanted} is in use; leave --port out to get a free one")
        return wanted
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if is_free(port):
            return port
    raise Problem(f"all ports from {FIRST_PORT} to {LAST_PORT} are in use; give one with --port")


def can_open_browser() -> bool:
    """Is there a graphical browser? One that runs in the terminal would take it over."""
    if sys.platform.startswith("linux") and not any(
        os.environ.get(v) for v in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    ):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def jupyterlab(folder: Path, port: int) -> list[str]:
    """The command line of the server. Everybody on the machine can read it: the token is not in it."""
    command = [
        sys.executable,
        "-m",
        "lablib.cli.served",
        "--no-browser",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.answer_yes=True",
        f"--LabApp.app_settings_dir={SETTINGS}",
        "--LabApp.custom_css=True",
        f"--LabApp.workspaces_dir={folder / '.messaging-lab' / 'workspaces'}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command


def environment(folder: Path, real_aws: bool) -> dict[str, str]:
    """What the server and its kernels find in their environment.

    Without `real_aws` the learner's own AWS account is out of reach: a plain `boto3.client()` at the top of a cell
    finds no credentials, and no address but one at which nobody answers. Hashes of text are the same in every kernel,
    so that a loop over a set goes the same way in every run.
    """
    ours = {HOME: str(home(folder)), "PYTHONHASHSEED": "0"}
    if real_aws:
        return os.environ | ours
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | ours | NO_AWS


def launch(
    folder: Path, port: int, token: str, log: Path, real_aws: bool = False, new: Sequence[Path] = ()
) -> subprocess.Popen:
    """Start the server; what it says goes to `log`. It signs the `new` notebooks: it has loaded what that takes."""
    with log.open("w", encoding="utf-8") as out:
        # Its own session: Ctrl-C reaches this process only, which then ends the server in good order.
        server = subprocess.Popen(
            jupyterlab(folder, port),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env=environment(folder, real_aws),
            start_new_session=True,
            text=True,
        )
    assert server.stdin
    with suppress(BrokenPipeError):  # it ended at once; `wait_until_up` says why
        server.stdin.write(f"{token}\n{json.dumps([str(path) for path in new])}\n")
        server.stdin.flush()  # and stays open: when this process ends, the server does too
    return server


def wait_until_up(server: subprocess.Popen, port: int, token: str, log: Path) -> None:
    """Return when the server answers to its own token. Raises Problem when it ends or stays silent."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
            raise Problem(
                f"JupyterLab ended at once: {lines[-1].strip()} (all of it: {log}; or run messaging-lab doctor)"
            )
        try:
            with urlopen(f"http://{HOST}:{port}/api/status?token={token}", timeout=2):
                return
        except OSError:  # nobody is there yet, or somebody else's server, which does not know the token
            time.sleep(0.05)
    raise Problem(f"JupyterLab did not answer within {PATIENCE:.0f} s; see {log}, or run messaging-lab doctor")


def stop(server: subprocess.Popen) -> None:
    """End the server and its kernels, gently first."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _end(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def start(
    folder: Path, wanted: int | None, real_aws: bool = False, new: Sequence[Path] = ()
) -> tuple[subprocess.Popen, int, str]:
    """A server that answers, its port, and its token: a new one at each try, because a port that somebody else took in
    the meantime has seen it. Raises Problem."""
    log = folder / ".messaging-lab" / "jupyterlab.log"
    while True:
        port, token = choose_port(wanted), secrets.token_urlsafe(24)
        server = launch(folder, port, token, log, real_aws, new)
        try:
            wait_until_up(server, port, token, log)
            return server, port, token
        except BaseException as error:
            ended = server.poll() is not None
            stop(server)
            taken = ended and wanted is None and not is_free(port)  # by somebody else, in the meantime: try the next
            if not (isinstance(error, Problem) and taken):
                raise


def doorway(folder: Path, address: str) -> Path:
    """A page that leads to the address. Its name may stand in a browser's command line; only the owner can read it."""
    page = folder / ".messaging-lab" / "open.html"
    page.unlink(missing_ok=True)
    link = html.escape(address)
    text = f'<!doctype html><meta http-equiv="refresh" content="0; url={link}"><a href="{link}">Messaging lab</a>'
    with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return page


def welcome(folder: Path, port: int, token: str, notebook: str, browser: bool) -> None:
    """Open the lab in a browser, or print where it is."""
    address = f"http://{HOST}:{port}/lab{f'/tree/{notebook}' if notebook else ''}?token={token}"
    opened = browser and can_open_browser() and webbrowser.open(doorway(folder, address).as_uri())
    print(f"{'Opened' if opened else 'Open this in your browser'}: {address}")
    print(f"Your work is saved in {folder}. Ctrl-C here ends the lab.", flush=True)


def prepare(port: int, token: str, notebook: str) -> None:
    """Start the kernel of the notebook that the address opens, while the page loads; the page connects to it."""
    wanted = {"path": notebook, "name": notebook, "type": "notebook", "kernel": {"name": "python3"}}
    address = f"http://{HOST}:{port}/api/sessions?token={token}"
    with suppress(OSError):  # then the page starts it
        urlopen(Request(address, json.dumps(wanted).encode(), method="POST"), timeout=PATIENCE).close()


def command(args: Namespace, rest: list[str]) -> int:
    """`messaging-lab`, `messaging-lab start`"""
    folder, labs = args.folder.resolve(), labs_folder()
    first = "" if folder.exists() else min(labs.glob(PATTERN)).name
    new: list[Path] = []
    for line in deliver(labs, folder, new.append):
        print(line)
    print("Starting JupyterLab ...", flush=True)
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before, server = {number: signal.signal(number, _end) for number in signals}, None
    try:
        server, port, token = start(folder, args.port, args.real_aws, new)
        welcome(folder, port, token, first, browser=not args.no_browser)
        if first:
            prepare(port, token, first)
        code = server.wait()
        print(f"JupyterLab ended with code {code}.")
        return 0 if code == 0 else 1
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            print("\nThe lab is ending ...", flush=True)
        return 0
    finally:
        if server:
            stop(server)
        for number, handler in before.items():
            signal.signal(number, handler)
        (folder / ".messaging-lab" / "open.html").unlink(missing_ok=True)
