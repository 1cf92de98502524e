"""The management API, asked with `http.client` in a program; and the broker's metrics."""

import base64
import http.client
import json
import socket
import ssl

import pytest
from mq.rabbitmq import PASSWORD, USER, Stage

guide, ours = pytest.mark.guide, pytest.mark.ours


@pytest.fixture(scope="module")
def stage():
    with Stage(nodes=3) as stage:

        def prepare():
            connection = stage.connect(1)
            channel = connection.channel()
            channel.queue_declare("orders", durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_declare("a/b c")
            channel.queue_bind("orders", "amq.topic", "order.#")
            for n in range(3):
                channel.basic_publish("", "orders", str(n))
            channel.basic_get("orders")
            connection.sleep(1e5)

        stage.spawn("client", prepare)
        stage.cloud.advance(2)
        yield stage


def asked(stage, method, path, body=None, user=USER, password=PASSWORD, headers=None):
    def program():
        web = http.client.HTTPSConnection(stage.host, 443, timeout=5)
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        web.request(method, path, body, {"Authorization": f"Basic {login}"} if headers is None else headers)
        answer = web.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None

    return stage.run(program, name="web", seconds=5)


@guide
def test_the_numbers_of_a_queue(stage):
    status, queue = asked(stage, "GET", "/api/queues/%2F/orders")
    assert status == 200
    wanted = {"name": "orders", "type": "quorum", "durable": True, "messages": 3, "messages_ready": 2,
              "messages_unacknowledged": 1, "consumers": 0, "state": "running", "leader": "rabbit@shop-1"}  # fmt: skip
    assert wanted.items() <= queue.items()
    assert queue["members"] == queue["online"] == ["rabbit@shop-1", "rabbit@shop-2", "rabbit@shop-3"]
    assert asked(stage, "GET", "/api/queues/%2F/a%2Fb%20c")[1]["name"] == "a/b c"
    assert [q["name"] for q in asked(stage, "GET", "/api/queues")[1]] == ["orders", "a/b c"]


@guide
def test_overview_nodes_connections_bindings(stage):
    overview = asked(stage, "GET", "/api/overview")[1]
    assert overview["queue_totals"] == {"messages": 3, "messages_ready": 2, "messages_unacknowledged": 1}
    assert overview["object_totals"]["connections"] == 1
    assert [(n["name"], n["running"], n["mem_alarm"]) for n in asked(stage, "GET", "/api/nodes")[1]] == [
        (f"rabbit@shop-{n}", True, False) for n in (1, 2, 3)
    ]
    assert asked(stage, "GET", "/api/connections")[1][0]["user"] == USER
    (binding,) = asked(stage, "GET", "/api/bindings")[1]
    assert (binding["source"], binding["destination"], binding["routing_key"]) == ("amq.topic", "orders", "order.#")
    assert asked(stage, "GET", "/api/exchanges/%2F/amq.topic")[1]["type"] == "topic"
    assert asked(stage, "GET", "/api/whoami")[1]["name"] == USER


@guide
def test_a_policy_changes_queues_at_once(stage):
    policy = {"pattern": "^ord", "definition": {"max-length": 1}, "apply-to": "queues"}
    assert asked(stage, "PUT", "/api/policies/%2F/short", json.dumps(policy))[0] == 201
    assert asked(stage, "GET", "/api/policies")[1][0]["definition"] == {"max-length": 1}
    assert stage.engine.vhost.queues["orders"].settings.max_length == 1
    assert asked(stage, "DELETE", "/api/policies/%2F/short")[0] == 204
    assert stage.engine.vhost.queues["orders"].settings.max_length > 1e9


@guide  # PCRE's match_limit
def test_a_policy_whose_pattern_would_take_for_ever_does_not_fit(stage):
    name = "a" * 60

    def declare():
        connection = stage.connect()
        connection.channel().queue_declare(name, exclusive=True)
        connection.sleep(30)
        connection.close()

    stage.spawn("declarer", declare)
    stage.cloud.advance(2)
    policy = {"pattern": "^a/b|^(a+)+b", "definition": {"max-length": 1}}
    assert asked(stage, "PUT", "/api/policies/%2F/slow", json.dumps(policy))[0] == 201
    limits = {queue.name: queue.settings.max_length for queue in stage.engine.vhost.queues.values()}
    assert limits["a/b c"] == 1 and limits[name] > 1e9
    assert asked(stage, "DELETE", "/api/policies/%2F/slow")[0] == 204
    stage.cloud.advance(40)
    assert name not in stage.engine.vhost.queues


@guide
@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (("GET", "/api/queues/%2F/none"), (404, {"error": "Object Not Found", "reason": "Not Found"})),
        (("GET", "/else"), (404, {"error": "Object Not Found", "reason": "Not Found"})),
        (("GET", "/api/overview", None, USER, "wrong"), (401, {"error": "not_authorized", "reason": "Login failed"})),
        (("GET", "/api/overview", None, "", "", {}), (401, {"error": "not_authorized", "reason": "Login failed"})),
        (("POST", "/api/queues"), (405, {"error": "method_not_allowed", "reason": "Method Not Allowed"})),
        (("PUT", "/api/policies/%2F/p", "{"), (400, {"error": "bad_request", "reason": "not_json"})),
        (
            ("GET", "/api/overview", None, "", "", {"Authorization": "Basic \xff"}),
            (401, {"error": "not_authorized", "reason": "Login failed"}),
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refused(stage, request_, answer):
    assert asked(stage, *request_) == answer


@ours
@pytest.mark.parametrize(
    "change",
    [{"pattern": "("}, {"pattern": 5}, {"definition": {}}, {"definition": {"max-length": "x"}}, {"priority": "x"},
     {"definition": {"max-length": -1}}, {"definition": {"message-ttl": 1.5}}, {"definition": {"expires": 0}},
     {"definition": {"dead-letter-exchange": 5}}, {"definition": {"overflow": "x"}}, {"apply-to": []},
     {"priority": None}, {"definition": {"max-length": float("nan")}}],
    ids=str,
)  # fmt: skip
def test_a_policy_that_cannot_be_is_refused_and_changes_nothing(stage, change):
    policy = {"pattern": "^ord", "definition": {"max-length": 1}, **change}
    status, answer = asked(stage, "PUT", "/api/policies/%2F/wrong", json.dumps(policy))
    assert (status, answer["error"]) == (400, "bad_request") and answer["reason"].startswith("Validation failed")
    assert asked(stage, "GET", "/api/policies") == (200, [])
    assert asked(stage, "GET", "/api/queues")[0] == 200


@ours
@pytest.mark.parametrize("length", [b"-5", b"9" * 5000, b"x"])
def test_a_length_that_is_none_stops_nobody(stage, length):
    def program():
        plain = socket.create_connection((stage.host, 443), timeout=5)
        with ssl.create_default_context().wrap_socket(plain, server_hostname=stage.host) as connection:
            connection.sendall(b"GET /api/overview HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n")
            return connection.recv(20)

    assert stage.run(program, name="web", seconds=5).startswith(b"HTTP/1.1 401")
    assert asked(stage, "GET", "/api/overview")[0] == 200


@guide
def test_cloudwatchs_metrics(stage):
    metrics = stage.engine.metrics()
    assert {"QueueCount": 2, "ConnectionCount": 1, "ChannelCount": 1, "MessageCount": 3, "MessageReadyCount": 2,
            "MessageCount/orders": 3, "MessageUnacknowledgedCount/orders": 1}.items() <= metrics.items()  # fmt: skip
