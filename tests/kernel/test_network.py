"""The virtual network as a program sees it through `socket`, `select`, `selectors` and `ssl`: Linux's TCP.

How TCP and its sockets behave is from tcp(7), socket(7), connect(2), poll(2); it is not repeated here.
"""

import contextlib
import errno
import gc
import http.client
import http.server
import select
import selectors
import socket
import ssl
import threading
import time
import urllib.request

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from lablib import Cloud
from lablib.kernel import Kernel
from lablib.kernel.network import network_of


@pytest.fixture
def network(kernel):
    return network_of(kernel)


def echo(port=7, size=65536):
    """A server that sends back what it gets."""
    listener = socket.create_server(("", port))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_echo, args=(connection, size), daemon=True).start()


def _echo(connection, size):
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(size):
            connection.sendall(data)


def silent(port=7):
    """A server that accepts and says nothing."""
    listener = socket.create_server(("", port))
    kept = []
    while True:
        kept.append(listener.accept())


def run(kernel, fn, server=echo, seconds=2000.0):
    """What fn returns as the program "client", beside a server on the host "srv"."""
    network_of(kernel).spawn("srv", server)
    kernel.advance(1)
    process = kernel.spawn(fn, name="client")
    kernel.advance(seconds)
    return process.result


# ---- connecting ------------------------------------------------------------------------------------------------------


def test_a_round_trip_takes_two_latencies(kernel, network):
    network.delay(0.1)

    def client():
        with socket.create_connection(("srv", 7)) as s:
            connected = time.monotonic()
            s.sendall(b"hello")
            return s.recv(5), connected - 1, time.monotonic() - connected, s.getpeername(), s.getsockname()[0]

    data, connecting, asking, peer, own = run(kernel, client)
    assert data == b"hello"
    assert (connecting, asking) == (pytest.approx(0.2), pytest.approx(0.2))
    assert (peer, own) == (("10.0.0.1", 7), "10.0.0.2")


def test_it_is_a_socket_and_outside_it_is_the_real_one(kernel):
    def client():
        s = socket.socket()
        return isinstance(s, socket.socket), type(s) is socket.socket, s.family, s.type

    assert run(kernel, client) == (True, False, socket.AF_INET, socket.SOCK_STREAM)
    with socket.socket() as real:
        assert type(real) is socket.socket
        assert 0 <= real.fileno() < 1 << 20


def test_nobody_listens(kernel):
    def client():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("srv", 8))
        return time.monotonic()

    assert run(kernel, client) == pytest.approx(1.001)


@pytest.mark.parametrize("host", ["example.com", "sqs.us-east-1.amazonaws.com", "8.8.8.8"])
def test_nothing_leaves_the_machine(kernel, host):
    def client():
        for connect in (
            lambda: socket.create_connection((host, 80)),
            lambda: socket.socket().connect((host, 80)),
            lambda: http.client.HTTPConnection(host).request("GET", "/"),
        ):
            with pytest.raises(socket.gaierror, match="is no host of this cloud, and from a process nothing leaves"):
                connect()
        return "refused"

    assert run(kernel, client) == "refused"


@pytest.mark.parametrize(
    ("make", "asked"),
    [
        (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), "AF_INET with SOCK_DGRAM"),
        (lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), "AF_UNIX with SOCK_STREAM"),
        (lambda: socket.socket(socket.AF_INET6), "AF_INET6"),
    ],
)
def test_only_tcp_over_ipv4_is_simulated(kernel, make, asked):
    kernel.spawn(make)
    with pytest.raises(NotImplementedError, match=f"only TCP over IPv4 is simulated, not {asked}; "):
        kernel.advance(1)


def test_a_subclass_of_socket_is_refused(kernel):
    class Mine(socket.socket):
        pass

    kernel.spawn(Mine)
    with pytest.raises(NotImplementedError, match=r"Mine: a subclass of socket\.socket"):
        kernel.advance(1)
    Mine().close()


def test_an_unanswered_attempt_ends_by_its_timeout_or_the_systems(kernel, network):
    def client():
        network.partition("client", "srv")
        with pytest.raises(TimeoutError, match="timed out"):
            socket.create_connection(("srv", 7), timeout=3)
        began = time.monotonic()
        with pytest.raises(TimeoutError) as given_up:
            socket.create_connection(("srv", 7))
        return began, given_up.value.errno, time.monotonic() - began

    assert run(kernel, client) == (pytest.approx(4, abs=1e-3), errno.ETIMEDOUT, pytest.approx(127, abs=1e-3))


def test_an_answer_to_one_who_gave_up_is_reset(kernel, network):
    """Else the server would talk to nobody for ever."""
    lives = []

    def server():
        connection, _ = socket.create_server(("", 7)).accept()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        lives.append(time.monotonic())

    def client():
        network.partition("client", "srv")
        with pytest.raises(TimeoutError):
            socket.create_connection(("srv", 7), timeout=3)
        time.sleep(6)
        network.heal("client", "srv")

    run(kernel, client, server)
    assert lives == [pytest.approx(10, abs=0.01)]


def test_an_address_in_use(kernel):
    def client():
        a = socket.create_server(("", 80))
        with pytest.raises(OSError, match="Address already in use"):
            socket.create_server(("", 80))
        a.close()
        socket.create_server(("", 80)).close()
        return True

    assert run(kernel, client)


# ---- ending ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("unread", "seen"), [(False, b""), (True, ConnectionResetError)])
def test_a_close_is_a_fin_and_with_unread_bytes_a_reset(kernel, unread, seen):
    def server():
        connection, _ = socket.create_server(("", 7)).accept()
        time.sleep(1)
        connection.close()

    def client():
        s = socket.create_connection(("srv", 7))
        if unread:
            s.sendall(b"never read")
        try:
            return s.recv(10)
        except OSError as error:
            return type(error)

    assert run(kernel, client, server) == seen


def test_half_a_close(kernel):
    def server():
        connection, _ = socket.create_server(("", 7)).accept()
        got = b""
        while data := connection.recv(100):
            got += data
        connection.sendall(got.upper())
        connection.close()

    def client():
        s = socket.create_connection(("srv", 7))
        s.sendall(b"all of it")
        s.shutdown(socket.SHUT_WR)
        with pytest.raises(BrokenPipeError):
            s.send(b"more")
        return s.makefile("rb").read()

    assert run(kernel, client, server) == b"ALL OF IT"


@pytest.mark.parametrize("how", ["ends", "killed"])
def test_the_operating_system_closes_what_a_program_leaves_open(kernel, how):
    def server():
        kept = socket.create_server(("", 7)).accept()
        time.sleep(5 if how == "ends" else 1e6)
        del kept

    def client():
        s = socket.create_connection(("srv", 7))
        return s.recv(1), time.monotonic()

    kernel.at(6.0, lambda: kernel.kill(kernel.processes["srv"]))
    assert run(kernel, client, server) == (b"", pytest.approx(6, abs=0.01))
    assert network_of(kernel).fds == {}


def test_the_rules_of_closed_sockets(kernel):
    def client():
        s = socket.create_connection(("srv", 7))
        with pytest.raises(OSError, match="already connected"):
            s.connect(("srv", 7))
        s.close()
        codes = []
        for use in (lambda: s.recv(1), lambda: s.send(b"x"), s.getpeername, lambda: socket.socket().recv(1)):
            with pytest.raises(OSError) as error:  # noqa: PT011
                use()
            codes.append(error.value.errno)
        return codes, s.fileno()

    assert run(kernel, client) == ([errno.EBADF] * 3 + [errno.ENOTCONN], -1)


# ---- what can go wrong -----------------------------------------------------------------------------------------------


def test_a_half_open_connection_is_noticed_by_nobody_who_does_not_send(kernel, network):
    def client():
        s = socket.create_connection(("srv", 7), timeout=100)
        network.partition("client", "srv")
        with pytest.raises(TimeoutError):
            s.recv(1)
        s.sendall(b"late")
        time.sleep(100)
        network.heal("srv", "client")
        return s.recv(4), time.monotonic()

    assert run(kernel, client) == (b"late", pytest.approx(201.001, abs=0.01))


def test_unanswered_data_end_a_connection_after_a_quarter_of_an_hour(kernel, network):
    def client():
        s = socket.create_connection(("srv", 7))
        network.partition("client", "srv")
        s.sendall(b"lost")
        with pytest.raises(TimeoutError) as error:
            s.recv(1)
        return error.value.errno, time.monotonic()

    assert run(kernel, client) == (errno.ETIMEDOUT, pytest.approx(925.6, abs=0.01))


def test_tcp_user_timeout_says_how_long(kernel, network):
    """py-amqp sets it to one second, so kombu notices a cut long before its heartbeat."""

    def client():
        s = socket.create_connection(("srv", 7))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000)
        s.sendall(b"x")
        s.recv(1)
        kernel.after(0.0001, network.partition, "client", "srv")
        s.sendall(b"cut on its way")
        with pytest.raises(TimeoutError):
            s.recv(1)
        return time.monotonic()

    assert run(kernel, client) == pytest.approx(2, abs=0.01)


def test_keep_alive_probes_notice_a_dead_peer(kernel, network):
    def client():
        s = socket.create_connection(("srv", 7))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
            s.setsockopt(socket.IPPROTO_TCP, option, value)
        time.sleep(100)  # it is answered all the time
        network.partition("client", "srv")
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            s.recv(1)
        return time.monotonic() - began

    assert 15 <= run(kernel, client, silent) < 26  # 10 + 3 * 5, less what it had been silent before


def test_a_reset_reaches_every_connection_of_a_host(kernel, network):
    def client():
        a, b = (socket.create_connection(("srv", 7)) for _ in range(2))
        network.reset("srv")
        for s in (a, b):
            with pytest.raises(ConnectionResetError):
                s.recv(1)
        return True

    assert run(kernel, client)


def test_a_host_without_power_is_silent_and_then_knows_nothing(kernel, network):
    def client():
        s = socket.create_connection(("srv", 7), timeout=10)
        network.power_off("srv")
        s.sendall(b"anybody?")
        with pytest.raises(TimeoutError):
            s.recv(1)
        network.power_on("srv")
        with pytest.raises(ConnectionResetError):
            s.recv(1)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("srv", 7))
        return kernel.processes["srv"].alive

    assert run(kernel, client) is False


def test_a_window_of_unread_bytes_blocks_the_sender(kernel):
    def client():
        s = socket.create_connection(("srv", 7))
        s.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                sent += s.send(b"x" * 10_000)
        return sent

    assert run(kernel, client, silent) == 262_144


def test_a_slow_wire_lets_so_many_bytes_a_second_through(kernel, network):
    def client():
        network.slow(1000, "client", "srv")
        s = socket.create_connection(("srv", 7))
        s.sendall(b"x" * 5000)
        s.recv(1)
        return time.monotonic() - 1

    assert run(kernel, client) == pytest.approx(10, abs=0.01)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda n: n.partition("srv", "brokr"), "no host is called 'brokr'; there are: srv"),
        (lambda n: n.delay(-1), "seconds=-1: must be a number of seconds, zero or more"),
        (lambda n: n.slow(0, "srv", "srv"), "bytes_per_second=0: must be more than zero"),
    ],
)
def test_faults_are_checked(network, break_it, message):
    network.add_host("srv")
    with pytest.raises((KeyError, ValueError), match=message):
        break_it(network)


# ---- waiting for several ---------------------------------------------------------------------------------------------


def _ready(how, sockets, timeout):
    """The positions of the sockets that can be read, by each of the interfaces."""
    if how == "select":
        return [sockets.index(s) for s in select.select(sockets, [], [], timeout)[0]]
    if how == "poll":
        poll = select.poll()
        for s in sockets:
            poll.register(s, select.POLLIN)
        numbers = [s.fileno() for s in sockets]
        return [numbers.index(fd) for fd, _ in poll.poll(None if timeout is None else timeout * 1000)]
    kind = {
        "epoll": selectors.EpollSelector,
        "selectors.select": selectors.SelectSelector,
        "selectors.poll": selectors.PollSelector,
    }[how]
    with kind() as selector:
        for i, s in enumerate(sockets):
            selector.register(s, selectors.EVENT_READ, i)
        return [key.data for key, _ in selector.select(timeout)]


HOW = ["select", "poll", "epoll", "selectors.select", "selectors.poll"]


@settings(max_examples=20)
@given(st.lists(st.sampled_from(["data", "fin", "reset", "nothing"]), min_size=1, max_size=5))
def test_all_interfaces_agree_on_what_can_be_read(states):
    def server():
        listener = socket.create_server(("", 7))
        kept = []
        for state in states:
            connection, _ = listener.accept()
            kept.append(connection)
            if state == "data":
                connection.sendall(b"x")
            elif state == "fin":
                connection.close()
            elif state == "reset":
                connection.recv(1, socket.MSG_PEEK)
                connection.close()
        time.sleep(100)

    def client():
        sockets = []
        for _ in states:
            sockets.append(socket.create_connection(("srv", 7)))
            sockets[-1].sendall(b"x")
        time.sleep(1)
        return [sorted(_ready(how, sockets, 0)) for how in HOW]

    kernel = Kernel()
    found = run(kernel, client, server)
    kernel.close()
    assert found == [[i for i, state in enumerate(states) if state != "nothing"]] * len(HOW)


@pytest.mark.parametrize("how", HOW)
def test_a_wait_for_several_ends_when_one_is_ready_or_late(kernel, how):
    def client():
        a, b = (socket.create_connection(("srv", 7)) for _ in range(2))
        nothing, waited = _ready(how, [a, b], 3), time.monotonic()
        threading.Timer(5, b.sendall, (b"x",)).start()
        return nothing, waited, _ready(how, [a, b], None), time.monotonic()

    nothing, waited, ready, then = run(kernel, client)
    assert (nothing, ready) == ([], [1])
    assert waited == pytest.approx(4, abs=0.01)
    assert then == pytest.approx(9, abs=0.01)


@pytest.mark.parametrize("how", HOW)
def test_polling_in_a_loop_ends(kernel, how):
    def client():
        s = socket.create_connection(("srv", 7))
        threading.Timer(0.5, s.sendall, (b"x",)).start()
        while not _ready(how, [s], 0):
            pass
        return time.monotonic()

    assert run(kernel, client) == pytest.approx(1.5, abs=0.02)


def test_a_real_file_is_not_waited_for(kernel):
    real = socket.socket()
    kernel.spawn(select.select, [real], [], [], name="learner")
    with pytest.raises(NotImplementedError, match="learner waits for the real file"):
        kernel.advance(1)
    real.close()


def test_a_pair_wakes_a_select_from_another_thread(kernel):
    def client():
        a, b = socket.socketpair()
        threading.Timer(2, a.send, (b"wake",)).start()
        select.select([b], [], [])
        return b.recv(10), time.monotonic()

    assert run(kernel, client) == (b"wake", pytest.approx(3, abs=0.01))


# ---- TLS -------------------------------------------------------------------------------------------------------------


def tls_echo():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listener = socket.create_server(("", 7))
    while True:
        connection, _ = listener.accept()
        with contextlib.suppress(OSError):
            tls = context.wrap_socket(connection, server_side=True)
            tls.sendall(tls.recv(100))


def over_tls(name="srv", context=None):
    context = context or ssl.create_default_context()
    with socket.create_connection(("srv", 7)) as s, context.wrap_socket(s, server_hostname=name) as tls:
        tls.sendall(b"secret")
        return tls.recv(100), tls.getpeercert()["subjectAltName"]


def test_tls_with_the_right_name(kernel, network):
    assert run(kernel, over_tls, tls_echo) == (b"secret", (("DNS", "srv"),))


@pytest.mark.parametrize(
    ("names", "trusted", "name", "problem"),
    [
        (["other"], True, "srv", "Hostname mismatch, certificate is not valid for 'srv'."),
        (["srv"], False, "srv", "self-signed certificate"),
        (["*.example.com"], True, "a.b.example.com", "Hostname mismatch"),
        (["*.example.com"], True, "b.example.com", None),
    ],
)
def test_the_certificate_is_checked_as_the_context_says(kernel, network, names, trusted, name, problem):
    network.add_host("srv")
    network.certify("srv", names, trusted)

    def client():
        try:
            over_tls(name)
        except ssl.SSLCertVerificationError as error:
            return error.verify_message

    found = run(kernel, client, tls_echo)
    assert found == problem if problem is None else found.startswith(problem)


def test_a_client_that_checks_nothing_takes_any_certificate_and_the_network_tells(kernel, network):
    told = []
    kernel.on_event = lambda *what: told.append(what)
    network.add_host("srv")
    network.certify("srv", ["other"], trusted=False)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    assert run(kernel, lambda: over_tls(context=context), tls_echo)[0] == b"secret"
    assert ("CertificateChecked", "client", "srv", "not for its name, any will do") in told


def test_tls_meets_a_plain_server_and_a_plain_client_meets_tls(kernel):
    def plain_server():
        connection, _ = socket.create_server(("", 7)).accept()
        connection.sendall(b"220 ready\r\n")
        time.sleep(10)

    def client():
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
            over_tls()
        return True

    assert run(kernel, client, plain_server)
    other = Kernel()

    def plain_client():
        with socket.create_connection(("srv", 7)) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return s.recv(100)

    assert run(other, plain_client, tls_echo)[:1] == b"\x15"


def test_a_handshake_that_nobody_answers_ends(kernel):
    """By the timeout of the socket, or because the other end closes."""

    def hangs_up(port=7):
        socket.create_server(("", port)).accept()[0].close()

    def client():
        began = time.monotonic()
        with socket.create_connection(("srv", 7), timeout=3) as s, pytest.raises(TimeoutError, match="handshake"):
            ssl.create_default_context().wrap_socket(s, server_hostname="srv")
        return time.monotonic() - began

    assert run(kernel, client, silent) == pytest.approx(3, abs=0.1)
    other = Kernel()

    def met_by_an_end():
        with socket.create_connection(("srv", 7)) as s, pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            ssl.create_default_context().wrap_socket(s, server_hostname="srv")
        return True

    assert run(other, met_by_an_end, hangs_up)
    other.close()


def test_what_a_tls_connection_says_of_itself(kernel):
    def client():
        context = ssl.create_default_context()
        with socket.create_connection(("srv", 7)) as s:
            with pytest.raises(ValueError, match="check_hostname requires server_hostname"):
                context.wrap_socket(s)
            tls = context.wrap_socket(s, server_hostname="srv", do_handshake_on_connect=False)
        with tls:
            tls.do_handshake()
            tls.do_handshake()
            said = tls.version(), tls.cipher()[1], tls.compression(), tls.selected_alpn_protocol(), tls.session
            return said, bool(tls.getpeercert(binary_form=True)), tls.session_reused

    assert run(kernel, client, tls_echo) == (("TLSv1.3", "TLSv1.3", None, None, None), True, False)


def test_a_handshake_on_a_socket_that_does_not_block_is_done_by_hand(kernel):
    def client():
        with socket.create_connection(("srv", 7)) as s:
            s.setblocking(False)
            context = ssl.create_default_context()
            with pytest.raises(ValueError, match="should not be specified for non-blocking sockets"):
                context.wrap_socket(s, server_hostname="srv")
            tls, waits = context.wrap_socket(s, server_hostname="srv", do_handshake_on_connect=False), 0
        with tls:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    waits += 1
                    select.select([tls], [], [])
            return waits, tls.getpeercert()["subjectAltName"]

    assert run(kernel, client, tls_echo) == (1, (("DNS", "srv"),))


def test_tls_over_memory_is_refused(kernel):
    kernel.spawn(lambda: ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO()))
    with pytest.raises(NotImplementedError, match="TLS over memory"):
        kernel.advance(1)


# ---- servers of the standard library, and a cell ---------------------------------------------------------------------


def test_threading_http_server_serves(kernel):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(1)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.date_time_string().encode())

        def log_message(self, *_): ...

    def server():
        http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()

    def client():
        bodies = []
        get = lambda: bodies.append(urllib.request.urlopen("http://srv/x").read())  # noqa: E731
        threads = [threading.Thread(target=get) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return bodies, time.monotonic()

    bodies, then = run(kernel, client, server)
    assert bodies == [b"Sat, 01 Apr 2023 00:00:02 GMT"] * 3
    assert then == pytest.approx(2, abs=0.1)


def test_a_cell_may_use_a_socket_that_a_process_made(kernel):
    sockets = []
    run(kernel, lambda: sockets.append(socket.create_connection(("srv", 7))) or time.sleep(1e6), seconds=1)
    sockets[0].sendall(b"from a cell")
    assert sockets[0].recv(100) == b"from a cell"


def test_a_program_that_reads_the_end_for_ever_does_not_stop_time():
    """stomp.py 9 does, over TLS: it waits with select, reads nothing, and waits again."""
    kernel = Kernel()
    network = network_of(kernel)

    def server():
        listener = socket.create_server(("", 1))
        listener.accept()[0].close()

    def client():
        c = socket.create_connection(("server", 1))
        end = time.time() + 5
        while time.time() < end:
            select.select([c], [], [])
            assert c.recv(10) == b""

    network.spawn("server", server)
    done = network.spawn("client", client)
    kernel.run(10)
    assert not done.alive and done.exception is None


def test_the_garbage_collector_closes_no_connection():
    """When it collects depends on all that the interpreter did before: the same run would not be the same again."""
    heard = []

    def server():
        with socket.create_server(("server", 5000)) as listener:
            connection, _ = listener.accept()
            heard.append((connection.recv(10), round(time.time() - began, 1)))

    def client():
        time.sleep(1)
        ring = [socket.create_connection(("server", 5000))]
        ring.append(ring)
        del ring
        gc.collect()
        time.sleep(10)

    with Cloud(seed=1) as cloud:
        began = cloud.kernel.epoch
        cloud.network.spawn("server", server)
        cloud.network.spawn("client", client)
        cloud.advance(30)
    assert heard == [(b"", 11.0)]  # when its program ends


@pytest.mark.parametrize("library", ["urllib", "requests"])
def test_the_proxies_of_this_machine_are_none_of_the_clouds(monkeypatch, library):
    """A company's notebook has them in its environment."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://proxy.example.com:3128")

    def serve():
        with socket.create_server(("", 80)) as server:
            client, _ = server.accept()
            client.recv(4096)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            client.close()

    def ask():
        if library == "requests":
            return requests.get("http://web/").content
        with urllib.request.urlopen("http://web/") as answer:
            return answer.read()

    with Cloud(seed=1) as cloud:
        cloud.network.spawn("web", serve)
        assert cloud.run(ask) == b"hello"
    assert urllib.request.getproxies()["http"] == "http://proxy.example.com:3128"
