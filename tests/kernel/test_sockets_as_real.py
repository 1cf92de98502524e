"""What is seldom asked of sockets and polls, asked of real ones and of virtual ones: the answers are the same."""

import io
import select
import socket
import sys

import pytest

pytestmark = [pytest.mark.ours, pytest.mark.skipif(sys.platform != "linux", reason="compares with Linux's sockets")]


def outcome(call):
    """What a call gives, or the name and number of what it raises."""
    try:
        return call()
    except Exception as error:
        return type(error).__name__, getattr(error, "errno", None)


def pair():
    """Two ends of a connection over TCP."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    return one, other


def blocking():
    with socket.socket() as plain, socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as other:
        plain.settimeout(2)
        modes = [(one.getblocking(), one.gettimeout()) for one in (plain, other)]
        plain.setblocking(False)
        other.settimeout(None)
        return (
            modes,
            [(one.getblocking(), one.gettimeout()) for one in (plain, other)],
            outcome(lambda: plain.settimeout(-1)),
        )


def accepting():
    with socket.socket() as plain, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0)
        return outcome(plain.accept), outcome(listener.accept), outcome(plain.getpeername), outcome(plain.fileno) > 0


def connecting():
    with socket.socket() as one, socket.socket() as other, socket.socket() as listener, socket.socket() as nobody:
        for each in (listener, nobody):
            each.bind(("127.0.0.1", 0))
        listener.listen()
        known = one.connect_ex(listener.getsockname())
        return known, one.connect_ex(listener.getsockname()), other.connect_ex(nobody.getsockname())


def sending():
    one, other = pair()
    with one, other:
        sent = one.sendmsg([b"ab", bytearray(b"cd")]), one.sendfile(io.BytesIO(b"012345"), 1, 3), one.send(b"")
        one.shutdown(socket.SHUT_WR)
        got = bytearray()
        while more := other.recv(100):
            got += more
        return sent, bytes(got), outcome(lambda: one.send(b"x")), other.recv(1)


def receiving():
    one, other = pair()
    with one, other:
        one.sendall(b"0123456789")
        room = bytearray(2)
        seen = other.recv(3, socket.MSG_PEEK), other.recvfrom(2), other.recvfrom_into(room), bytes(room)
        data, ancillary, _, address = other.recvmsg(2)
        return seen, data, ancillary, address, other.recv_into(room, 1), bytes(room)


def options():
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, b"\x01\x00\x00\x00")
        asked = (socket.SO_TYPE, socket.SO_ERROR, socket.SO_KEEPALIVE)
        return [one.getsockopt(socket.SOL_SOCKET, option) for option in asked], one.get_inheritable()


def closed():
    one, other = pair()
    other.close()
    one.close()
    with socket.socket() as detached:
        number = detached.detach()
        left = detached.fileno(), outcome(lambda: detached.send(b"x"))
    socket.close(number)
    calls = (lambda: one.recv(1), one.getsockname, lambda: select.select([one], [], []))
    return one.fileno(), left, [outcome(call) for call in calls]


def numbers():
    one, other = pair()
    with one, other:
        again = socket.socket(fileno=one.detach())
        with again:
            again.sendall(b"x")
            return other.recv(1), outcome(lambda: socket.socket(fileno=99_999)), one.fileno()


def selecting():
    one, other = pair()
    with one, other:
        one.sendall(b"x")
        found = select.select([other.fileno()], [one], [], 5)
        return (
            (len(found[0]), found[1] == [one]),
            outcome(lambda: select.select([-1], [], [], 0)),
            outcome(lambda: select.select([one], [], [], -1)),
        )


def polling():
    one, other = pair()
    poll = select.poll()
    with one, other:
        poll.register(one, select.POLLIN)
        poll.register(one, select.POLLOUT)  # twice: the last one counts
        ready = [events for _, events in poll.poll(1000)]
        poll.modify(one, select.POLLIN)
        idle = poll.poll(0)
        unknown = outcome(lambda: poll.modify(other, 1)), outcome(lambda: poll.unregister(other))
        poll.unregister(one)
        return ready, idle, unknown, poll.poll(0)


def epolling():
    one, other = pair()
    with one, other, select.epoll() as poll:
        poll.register(one, select.EPOLLOUT)
        twice = outcome(lambda: poll.register(one, select.EPOLLIN))
        ready = [events for _, events in poll.poll(1)]
        unknown = outcome(lambda: poll.modify(other, 1)), outcome(lambda: poll.unregister(other))
        poll.close()
        return twice, ready, unknown, poll.closed


ASKED = [accepting, blocking, closed, connecting, epolling, numbers, options, polling, receiving, selecting, sending]


@pytest.mark.parametrize("ask", ASKED, ids=lambda ask: ask.__name__)
def test_it_answers_as_a_real_one_does(kernel, ask):
    asked = kernel.spawn(ask)
    kernel.advance(60)
    assert asked.result == ask()
