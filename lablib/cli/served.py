"""The process of the server: JupyterLab, which learns its token from a pipe, and ends when the command ends.

The pipe tells, too, which notebooks are new, so that Jupyter trusts them.

A token in the command line could be read by everybody on the machine. The pipe stays open as long as `messaging-lab`
runs: when it is closed, however that came about, the server and its kernels end.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TextIO

STYLE = Path(__file__).with_name("settings") / "custom"
_LAST_RESORT = 20.0  # seconds to end in good order


def end_with(pipe: TextIO) -> None:
    """End this process when the other end of the pipe is closed."""
    pipe.read()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Timer(_LAST_RESORT, os._exit, (1,)).start()


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
    from jupyterlab.labapp import LabApp
    from traitlets import default

    from lablib.cli.copies import trust

    for notebook in new:
        trust(Path(notebook))

    class Server(ServerApp):
        """Jupyter's server, which looks for a page's style sheet in the learner's settings, and then in ours."""

        @default("static_custom_path")
        def _default_static_custom_path(self) -> list[str]:
            return [*super()._default_static_custom_path(), str(STYLE)]

    LabApp.serverapp_class = Server
    LabApp.launch_instance([*arguments, f"--IdentityProvider.token={token}"])


if __name__ == "__main__":
    main(sys.argv[1:])
