"""How the tests start the kernels of notebooks."""

import socket

import pytest
from jupyter_client.connect import LocalPortCache
from nbval.kernel import start_new_kernel

pytestmark = pytest.mark.ours
GIVEN_AWAY_FROM = 32_768  # Linux takes the ports of outgoing connections from here on (ip_local_port_range)


def test_a_kernel_listens_where_no_connection_of_another_test_can_be() -> None:
    """A port is chosen a second before the kernel opens it. Taken in between, the kernel dies at its start."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        ports = [getattr(manager, f"{name}_port") for name in ("shell", "iopub", "stdin", "hb", "control")]
        assert len({*ports}) == 5 and max(ports) < GIVEN_AWAY_FROM
        assert client.execute_interactive("1 + 1", timeout=60)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_port_where_somebody_listens_is_left_out() -> None:
    ports = LocalPortCache.instance()
    first = ports.find_available_port("127.0.0.1")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", first + 1))
        other.listen()
        second = ports.find_available_port("127.0.0.1")
    for port in (first, second):
        ports.return_port(port)
    assert second not in (first, first + 1)
