"""`messaging-lab`: start the lab, run a scenario here, check the exercises, look after the learner's copies."""

import argparse
import math
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from lablib.cli.copies import Problem

__all__ = ["main"]

# A command is a function `command(args, rest) -> exit code`, imported only when it is asked for.
COMMANDS = {
    "start": ("lablib.cli.server", "open the labs in JupyterLab (this is what happens without a command)"),
    "run": ("lablib.cli.scenario", "run a lab's scenario or a program of your own, and print what came of it"),
    "check": ("lablib.cli.check", "run your notebooks and print the state of every exercise"),
    "reset": (
        "lablib.cli.copies",
        "put a lab back as it was delivered, with nothing guessed or passed; yours is kept beside it",
    ),
    "doctor": ("lablib.cli.doctor", "find out why something does not work"),
}


class Parser(argparse.ArgumentParser):
    """argparse, but a bad argument is answered with one line instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> Parser:
    top = Parser(prog="messaging-lab", description="Learn AWS messaging in simulated services. No account, no bill.")
    top.add_argument("--version", action="version", version=f"messaging-lab {version('messaging-lab')}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    made = {
        name: commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        for name, (_, text) in COMMANDS.items()
    }
    for name in ("start", "check", "reset", "doctor"):
        made[name].add_argument(
            "--folder", type=Path, default=Path("my-labs"), help="the folder of your copies (default: my-labs)"
        )
    made["start"].add_argument("--port", type=_port, help="default: 8888, or the next free one")
    made["start"].add_argument("--no-browser", action="store_true", help="only print the address")
    made["start"].add_argument(
        "--real-aws", action="store_true", help="let plain boto3 in a notebook reach your own AWS account"
    )
    made["run"].add_argument("lab", help="a lab's number, such as 01, or a program of your own, such as orders.py")
    made["run"].add_argument("--scenario", metavar="NAME", help="which of the lab's scenarios (default: its first)")
    made["run"].add_argument("--seed", type=int, default=0, help="the same seed gives the same run (default: 0)")
    made["run"].add_argument("--until", type=float, metavar="SECONDS", help="virtual seconds to run")
    made["run"].add_argument("--limits", choices=("2023", "today"), default="2023", help="whose AWS quotas apply")
    made["run"].add_argument("--explain", "--why", metavar="MESSAGE", help="tell the story of one message id")
    own = made["run"].add_argument_group("for a program of your own (what follows -- goes to the program)")
    own.add_argument("--trace", action="store_true", help="print all that happened, a row a line")
    own.add_argument("--page", metavar="FILE", help="write the run as an animated page")
    own.add_argument("--faults", metavar="LIST", help="what goes wrong by chance: crash, outage, lost_answer, ...")
    own.add_argument("--seeds", type=int, metavar="N", help="look through N seeds for the smallest that fails")
    made["check"].add_argument("lab", nargs="*", help="labs' numbers (default: all)")
    made["check"].add_argument(
        "--timeout", type=_seconds, default=300.0, metavar="SECONDS", help="a cell's most (default: 300)"
    )
    which = made["reset"].add_mutually_exclusive_group(required=True)
    which.add_argument("lab", nargs="?", help="a lab's number, such as 01")
    which.add_argument("--all", action="store_true", help="all labs, for the next class")
    made["reset"].add_argument("--yes", action="store_true", help="do not ask")
    # The scenario's own options are not known before the lab is: `run` parses the rest itself.
    made["run"].epilog = "Each scenario adds its own options: messaging-lab run 01 --options lists them."
    made["run"].add_argument("--options", action="store_true", help="list the scenario's own options")
    return top


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; it must be 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def _fix_hashes() -> None:
    """Begin anew, with hashes of texts that are the same every time: a person's own program may go through a set."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        again = [sys.executable, *sys.orig_argv[1:]]
        if os.name == "nt":  # there, exec returns at once to who called
            raise SystemExit(subprocess.call(again))
        os.execv(sys.executable, again)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code: 0, 1 for a problem, 2 for a bad argument."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given = ["start", *given]
    top = parser()
    args, rest = top.parse_known_args(given)
    if rest and args.command != "run":
        top.error(f"unknown argument: {' '.join(rest)}")
    if arguments is None and args.command == "run":
        _fix_hashes()
    try:
        module = import_module(COMMANDS[args.command][0])
    except ModuleNotFoundError as error:
        print(
            f"messaging-lab: {error.name} is not installed; run: {sys.executable} -m pip install -e .", file=sys.stderr
        )
        return 1
    try:
        return module.command(args, rest)
    except Problem as problem:
        print(f"messaging-lab: {problem}", file=sys.stderr)
    except PermissionError as error:
        print(f"messaging-lab: no permission for {error.filename}", file=sys.stderr)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader went away, as in `messaging-lab ... | head`
            sys.stderr.close()
        else:  # a full disk, a file name that is too long, links in a circle
            name = error.filename2 or error.filename or "a file"
            print(f"messaging-lab: {name}: {error.strerror}", file=sys.stderr)
    except RuntimeError as error:
        if not str(error).startswith("Symlink loop"):  # how pathlib says it, until Python 3.12
            raise
        print(f"messaging-lab: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nmessaging-lab: stopped", file=sys.stderr)
    return 1
