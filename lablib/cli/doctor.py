"""`messaging-lab doctor`: look at everything the lab needs; each check answers in one line, with what to do."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from lablib.cli.copies import PATTERN, Problem, labs_folder
from lablib.cli.server import SETTINGS

LOWEST_PYTHON = (3, 11)
KERNEL_PATIENCE = 60  # seconds


def run_time_requirements() -> list[Requirement]:
    """What the package needs to run, with bounds, as declared."""
    declared = map(Requirement, requires("messaging-lab") or [])
    return [need for need in declared if need.marker is None or need.marker.evaluate({"extra": ""})]


def python() -> str:
    if sys.version_info < LOWEST_PYTHON:
        raise Problem("Python {}.{} or newer is needed, this is {}".format(*LOWEST_PYTHON, platform.python_version()))
    return f"Python {platform.python_version()} ({sys.executable})"


def package(need: Requirement) -> str:
    try:
        found = version(need.name)
    except PackageNotFoundError:
        raise Problem(f"{need.name} is missing; run: {sys.executable} -m pip install '{need}'") from None
    if not need.specifier.contains(found, prereleases=True):
        raise Problem(f"{need.name} {found} is installed; run: {sys.executable} -m pip install -U '{need}'")
    return f"{need.name} {found}"


def widgets() -> str:
    """The browser's half of the widgets must be where JupyterLab looks, and a live figure must be constructible."""
    from jupyter_core.paths import jupyter_path

    for extension in ("@jupyter-widgets/jupyterlab-manager", "anywidget"):
        if not any((Path(base) / extension / "package.json").exists() for base in jupyter_path("labextensions")):
            raise Problem(
                f"JupyterLab cannot find its extension {extension}; "
                f"run: {sys.executable} -m pip install --force-reinstall ipywidgets jupyterlab_widgets anywidget"
            )
    if find_spec("plotly") is None:
        raise Problem(f"plotly is missing; run: {sys.executable} -m pip install plotly")
    import plotly.graph_objects as go

    try:
        go.FigureWidget()
    except ImportError as error:
        raise Problem(f"plotly cannot make a live figure: {error}") from None
    return "widgets: ipywidgets, anywidget and plotly work together"


def kernel() -> str:
    from jupyter_client.kernelspec import NoSuchKernel
    from jupyter_client.manager import start_new_kernel

    try:
        manager, client = start_new_kernel(
            startup_timeout=KERNEL_PATIENCE, kernel_name="python3", stderr=subprocess.DEVNULL
        )
    except (RuntimeError, NoSuchKernel, OSError) as error:
        raise Problem(
            f"a kernel does not start ({error}); run: {sys.executable} -m pip install --force-reinstall ipykernel"
        ) from None
    said: list[str] = []

    def listen(message: dict) -> None:
        said.append(message["content"].get("text") or message["content"].get("evalue") or "")

    try:
        client.execute_interactive(
            "import sys, lablib; print(sys.prefix)", timeout=KERNEL_PATIENCE, output_hook=listen, allow_stdin=False
        )
    except TimeoutError:
        raise Problem(f"a kernel starts but does not answer within {KERNEL_PATIENCE} s") from None
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    where = "".join(said).strip()
    if where != sys.prefix:
        raise Problem(
            f"the kernel 'python3' is not this Python: {where or 'it said nothing'}; "
            "run: jupyter kernelspec list, and remove the one outside this environment"
        )
    return "kernel: starts, and finds the lab"


def settings() -> str:
    """Each of the lab's settings must be one that the installed JupyterLab knows."""
    from jupyter_core.paths import jupyter_path

    wanted = json.loads((SETTINGS / "overrides.json").read_text(encoding="utf-8"))
    for plugin, values in wanted.items():
        package_name, _, schema = plugin.partition(":")
        files = [
            path
            for pattern in (f"lab/schemas/{package_name}", f"labextensions/{package_name}/schemas/{package_name}")
            for base in jupyter_path(pattern)
            if (path := Path(base) / f"{schema}.json").exists()
        ]
        known = json.loads(files[0].read_text(encoding="utf-8"))["properties"] if files else {}
        if unknown := sorted(set(values) - set(known)):
            raise Problem(
                f"this JupyterLab does not know {plugin} {', '.join(unknown)}; the lab works, look and feel differ"
            )
    return f"lab settings: {sum(map(len, wanted.values()))} settings, all known"


def labs() -> str:
    folder = labs_folder()
    return f"labs: {len(list(folder.glob(PATTERN)))} in {folder}"


def writable(folder: Path) -> str:
    place = folder if os.path.lexists(folder) else folder.absolute().parent
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        raise Problem(
            f"cannot write in {place} ({error.strerror}); go to a folder of yours, or give one with --folder"
        ) from None
    if not os.access(folder, os.F_OK):
        return f"folder: {folder} can be made"
    return f"folder: {folder} can be written"


def jupyters_own() -> str:
    """The server keeps a secret and its address in a folder of Jupyter's, without which it does not start."""
    from jupyter_core.paths import jupyter_runtime_dir

    folder = Path(jupyter_runtime_dir())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return f"Jupyter's own folder: {folder} can be written"
    except OSError as error:
        advice = "set JUPYTER_RUNTIME_DIR to one that you can write"
        raise Problem(f"Jupyter cannot write its folder {folder} ({error.strerror}); {advice}") from None


def checks(folder: Path) -> Iterator[Callable[[], str]]:
    yield python
    for need in run_time_requirements():
        yield partial(package, need)
    yield widgets
    yield kernel
    yield settings
    yield jupyters_own
    yield labs
    yield lambda: writable(folder)


def command(args: Namespace, rest: list[str]) -> int:
    """`messaging-lab doctor`; 1 when there is a problem."""
    bad = 0
    for check in checks(args.folder):
        try:
            print(f"ok       {check()}", flush=True)
        except Problem as problem:
            bad += 1
            print(f"PROBLEM  {problem}", flush=True)
        except ImportError as error:
            bad += 1
            print(f"PROBLEM  {error}; see the lines above", flush=True)
    print("\nEverything the lab needs is here." if not bad else f"\n{bad} problem{'s' * (bad > 1)}, see above.")
    return 1 if bad else 0
