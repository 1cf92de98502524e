"""`messaging-lab start`: JupyterLab on the learner's own copies, on loopback, behind a token."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from argparse import Namespace
from pathlib import Path
from urllib.request import urlopen

from lablib.cli.copies import HOME, Problem, deliver, home, labs_folder

SETTINGS = Path(__file__).with_name("settings")
HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 8888, 8987
PATIENCE = 120.0  # seconds for the server to answer; a cold disk takes its time


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
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


def jupyterlab(folder: Path, port: int, token: str) -> list[str]:
    """The command line of the server."""
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.answer_yes=True",
        f"--IdentityProvider.token={token}",
        f"--LabApp.app_settings_dir={SETTINGS}",
        f"--LabApp.workspaces_dir={folder / '.messaging-lab' / 'workspaces'}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command


def launch(folder: Path, port: int, token: str, log: Path) -> subprocess.Popen:
    """Start the server; what it says goes to `log`."""
    with log.open("w", encoding="utf-8") as out:
        # Its own session: Ctrl-C reaches this process only, which then ends the server in good order.
        return subprocess.Popen(
            jupyterlab(folder, port, token),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, HOME: str(home(folder))},
            start_new_session=True,
        )


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
            time.sleep(0.2)
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


def start(folder: Path, wanted: int | None, token: str) -> tuple[subprocess.Popen, int]:
    """A server that answers, and its port. Raises Problem."""
    log = folder / ".messaging-lab" / "jupyterlab.log"
    while True:
        port = choose_port(wanted)
        server = launch(folder, port, token, log)
        try:
            wait_until_up(server, port, token, log)
            return server, port
        except BaseException as error:
            ended = server.poll() is not None
            stop(server)
            taken = ended and wanted is None and not is_free(port)  # by somebody else, in the meantime: try the next
            if not (isinstance(error, Problem) and taken):
                raise


def welcome(folder: Path, port: int, token: str, notebook: str, browser: bool) -> None:
    """Open the lab in a browser, or print where it is."""
    address = f"http://{HOST}:{port}/lab{f'/tree/{notebook}' if notebook else ''}?token={token}"
    opened = browser and can_open_browser() and webbrowser.open(address)
    print(f"{'Opened' if opened else 'Open this in your browser'}: {address}")
    print(f"Your work is saved in {folder}. Ctrl-C here ends the lab.", flush=True)


def command(args: Namespace, rest: list[str]) -> int:
    """`messaging-lab`, `messaging-lab start`"""
    folder, labs = args.folder.resolve(), labs_folder()
    first = "" if folder.exists() else min(labs.glob("[0-9][0-9]-*.ipynb")).name
    for line in deliver(labs, folder):
        print(line)
    print("Starting JupyterLab ...", flush=True)
    before, server = signal.signal(signal.SIGTERM, _end), None
    try:
        token = secrets.token_urlsafe(24)
        server, port = start(folder, args.port, token)
        welcome(folder, port, token, first, browser=not args.no_browser)
        code = server.wait()
        print(f"JupyterLab ended with code {code}.")
        return 0 if code == 0 else 1
    except KeyboardInterrupt:
        print("\nThe lab is ending ...", flush=True)
        return 0
    finally:
        if server:
            stop(server)
        signal.signal(signal.SIGTERM, before)
