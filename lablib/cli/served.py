"""The process of the server: JupyterLab, which learns its token from a pipe, and ends when the command ends.

The pipe tells, too, which notebooks are new, so that Jupyter trusts them.

A token in the command line could be read by everybody on the machine. The pipe stays open as long as `messaging-lab`
runs: when it is closed, however that came about, the server and its kernels end.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any, TextIO

STYLE = Path(__file__).with_name("settings") / "custom"
WANTED = ("lablib.workbench", "lablib.exercises")
_LAST_RESORT = 20.0  # seconds to end in good order


def end_with(pipe: TextIO) -> None:
    """End this process when the other end of the pipe is closed."""
    pipe.read()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Timer(_LAST_RESORT, os._exit, (1,)).start()


async def warm(client: Any) -> None:
    """Let a kernel import what a lab needs. It gives no output, is no cell, and leaves no name."""
    client.start_channels(iopub=False, stdin=False, hb=False, control=False)
    client.execute(f"[__import__(name) for name in {WANTED}]", silent=True)
    with suppress(Empty):  # it ended, or its Python has no lablib
        await client.get_shell_msg(timeout=_LAST_RESORT)
    client.stop_channels()


def main(arguments: list[str]) -> None:
    """Run JupyterLab with these arguments; standard input tells the token and, in JSON, the new notebooks: a line
    each.
    """
    token, new = sys.stdin.readline().strip(), json.loads(sys.stdin.readline() or "[]")
    threading.Thread(target=end_with, args=(sys.stdin,), daemon=True).start()
    # jsonschema imports it if it is there, and it builds a grammar then, for longer than all else takes; the server's
    # schemas have no internationalized addresses.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    from jupyter_server.serverapp import ServerApp
    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
    from jupyterlab.labapp import LabApp
    from traitlets import default

    from lablib.cli.copies import trust

    for notebook in new:
        trust(Path(notebook))

    under_way: set[asyncio.Task[None]] = set()  # a task that nobody holds may be collected

    class Kernels(AsyncMappingKernelManager):
        """Kernels that begin at once with what the first cell of a lab waits for longest, while the page loads."""

        async def start_kernel(self, **options: Any) -> str:  # type: ignore[override]  # theirs says so, too
            kernel: str = await super().start_kernel(**options)
            under_way.add(task := asyncio.create_task(warm(self.get_kernel(kernel).client())))
            task.add_done_callback(under_way.discard)
            return kernel

    class Server(ServerApp):
        """Jupyter's server, which looks for a page's style sheet in the learner's settings, and then in ours."""

        @default("kernel_manager_class")
        def _default_kernel_manager_class(self) -> type:
            return Kernels

        @default("static_custom_path")
        def _default_static_custom_path(self) -> list[str]:
            return [*super()._default_static_custom_path(), str(STYLE)]

    LabApp.serverapp_class = Server
    LabApp.launch_instance([*arguments, f"--IdentityProvider.token={token}"])


if __name__ == "__main__":
    main(sys.argv[1:])
