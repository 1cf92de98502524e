"""Real brokers on loopback, for the yardstick: an ActiveMQ pair on one store, and a RabbitMQ node.

They need Debian's packages `activemq` and `rabbitmq-server`. Nothing of the system's own configuration is used or
changed; each broker is a child process of the test, in a folder of its own, and is ended by its id.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

_LIB = Path("/usr/share/activemq/lib")
_RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

ACTIVEMQ_MISSING = "" if _LIB.is_dir() and shutil.which("java") else "Debian's package activemq is not installed"
RABBITMQ_MISSING = "" if _RABBIT.exists() else "Debian's package rabbitmq-server is not installed"

_XML = """<beans xmlns="http://www.springframework.org/schema/beans"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="
  http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans-2.0.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="pair" useJmx="false"
          dataDirectory="{data}" useShutdownHook="false">
    <persistenceAdapter><kahaDB directory="{store}">
      <locker><shared-file-locker lockAcquireSleepInterval="{poll}"/></locker>
    </kahaDB></persistenceAdapter>
    <systemUsage><systemUsage><memoryUsage><memoryUsage limit="32 mb"/></memoryUsage>
      <storeUsage><storeUsage limit="200 mb"/></storeUsage><tempUsage><tempUsage limit="50 mb"/></tempUsage>
    </systemUsage></systemUsage>
    <transportConnectors><transportConnector name="stomp" uri="stomp://127.0.0.1:{port}"/></transportConnectors>
  </broker>
</beans>"""

_LOG = """log4j.rootLogger=INFO, file
log4j.appender.file=org.apache.log4j.FileAppender
log4j.appender.file.file={}
log4j.appender.file.layout=org.apache.log4j.SimpleLayout
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(condition, seconds=90.0):
    """Wait for a condition. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{condition} did not come true within {seconds} s")
        time.sleep(0.02)


class _Child:
    """A process of ours, with all that it starts."""

    def __init__(self, command, folder, **env):
        self.log = (folder / "output.txt").open("ab")
        self.process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **env}, stdout=self.log, stderr=self.log, start_new_session=True
        )

    def kill(self):
        """End it as a power cut would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()


class ActiveMQPair:
    """Two brokers, one store, one lock. `poll`: how often the standby tries the lock, in milliseconds."""

    def __init__(self, folder, poll=2000):
        self.folder, self.poll = folder, poll
        self.ports = [free_port(), free_port()]
        self.hosts = [("127.0.0.1", port) for port in self.ports]
        self.children = [None, None]

    def start(self, n):
        own = self.folder / f"broker-{n + 1}"
        (own / "conf").mkdir(parents=True, exist_ok=True)
        (own / "log4j.properties").write_text(_LOG.format(own / "broker.log"))
        text = _XML.format(data=own / "data", store=self.folder / "store", poll=self.poll, port=self.ports[n])
        (own / "conf" / "activemq.xml").write_text(text)
        jars = ":".join(str(jar) for folder in (_LIB, _LIB / "optional") for jar in sorted(folder.glob("*.jar")))
        command = [
            "java", "-Xms64M", "-Xmx160M", f"-Dlog4j.configuration=file:{own / 'log4j.properties'}",
            f"-Dactivemq.home={own}", f"-Dactivemq.base={own}", f"-Dactivemq.conf={own / 'conf'}",
            f"-Djava.io.tmpdir={own}", "-cp", jars, "org.apache.activemq.console.Main",
            "start", f"xbean:file:{own / 'conf' / 'activemq.xml'}",
        ]  # fmt: skip
        self.children[n] = _Child(command, own)

    def start_both(self):
        """The first is active, and the second waits for the lock."""
        self.start(0)
        until(lambda: answers(self.ports[0]))
        self.start(1)
        until(lambda: "locked" in self.log(1))

    def log(self, n):
        file = self.folder / f"broker-{n + 1}" / "broker.log"
        return file.read_text() if file.exists() else ""

    def kill(self, n):
        self.children[n].kill()

    def close(self):
        for child in self.children:
            if child is not None:
                child.kill()


class RabbitMQNode:
    """One node, in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.port, self.host = folder, free_port(), "127.0.0.1"
        self.dist, self.epmd = free_port(), free_port()
        self.child = self.names = None
        self.read = 0  # so much of the log is of an earlier start

    def start(self):
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nvm_memory_high_watermark.absolute = 200MB\n"
            "disk_free_limit.absolute = 50MB\n"
        )
        (self.folder / "enabled_plugins").write_text("[].\n")
        if self.names is None:
            self.names = _Child(["epmd", "-port", str(self.epmd), "-address", "127.0.0.1"], self.folder)
        self.child = _Child(
            [str(_RABBIT)], self.folder, HOME=str(self.folder),
            RABBITMQ_NODENAME=f"yardstick{self.port}@localhost", RABBITMQ_DIST_PORT=str(self.dist),
            ERL_EPMD_PORT=str(self.epmd), ERL_EPMD_ADDRESS="127.0.0.1", RABBITMQ_BASE=str(self.folder),
            RABBITMQ_MNESIA_BASE=str(self.folder / "mnesia"), RABBITMQ_LOG_BASE=str(self.folder / "log"),
            RABBITMQ_CONFIG_FILE=str(self.folder / "rabbitmq"), RABBITMQ_PID_FILE=str(self.folder / "pid"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(self.folder / "enabled_plugins"),
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1",
        )  # fmt: skip
        until(lambda: b"completed with" in self._log()[self.read :])

    def _log(self):
        file = self.folder / "output.txt"
        return file.read_bytes() if file.exists() else b""

    def restart(self):
        """A crash, and a start on the same data."""
        self.child.kill()
        self.read = len(self._log())
        self.start()

    def close(self):
        for child in (self.child, self.names):
            if child is not None:
                child.kill()
