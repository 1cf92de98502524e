"""OpenSearch: domains that are hosts and speak HTTP, documents, mappings that refuse, searches."""

import json
import urllib.error
import urllib.request

import pytest
import requests
from aws_errors import broken, case, guide, ours, reported
from hypothesis import given, settings
from hypothesis import strategies as st
from opensearch.conftest import Lab

from lablib.aws.service import NotSimulated


@guide
def test_ordinary_code_writes_and_reads(lab):
    def program():
        base = f"https://{lab.host}"
        made = requests.put(f"{base}/rides/_doc/1?refresh=true", json={"lift": "North", "riders": 3}, timeout=5)
        assert (made.status_code, made.json()["result"], made.json()["_version"]) == (201, "created", 1)
        again = requests.post(f"{base}/rides/_doc/1", json={"lift": "North", "riders": 4}, timeout=5)
        assert (again.status_code, again.json()["result"]) == (200, "updated")
        with urllib.request.urlopen(f"http://{lab.host}/rides/_doc/1", timeout=5) as answer:
            got = json.load(answer)
        found = requests.get(f"{base}/rides/_search", json={"query": {"match": {"lift": "north"}}}, timeout=5).json()
        return got["_source"]["riders"], found["hits"]["hits"][0]["_source"]["riders"]

    assert lab.cloud.run(program) == (4, 3), "by its id at once, in a search after the next refresh"


@guide
def test_a_search_sees_what_was_written_after_a_second(lab):
    lab.cloud.advance(0.5)
    lab.bulk({"lift": "a"})
    assert lab.found({"match_all": {}}) == []
    lab.refreshed()
    assert lab.found({"match_all": {}}) == [{"lift": "a"}]


@guide
def test_one_connection_carries_many_requests(lab):
    def program():
        session = requests.Session()
        for number in range(5):
            session.post(f"https://{lab.host}/rides/_doc", json={"n": number}, timeout=5)

    before = len(lab.cloud.trace.where(kind="Connected"))
    lab.cloud.run(program)
    assert len(lab.cloud.trace.where(kind="Connected")) == before + 1
    lab.refreshed()
    assert lab.ask("GET", "/rides/_count")[1]["count"] == 5


@guide
def test_queries(lab):
    lab.bulk(
        {"text": "The north lift is open", "riders": 3, "open": True, "at": {"gate": "A"}},
        {"text": "South lift, lift closed", "riders": 12, "open": False, "at": {"gate": "B"}},
    )
    lab.refreshed()
    riders = lambda query, **more: [each["riders"] for each in lab.found(query, **more)]  # noqa: E731
    assert riders({"match_all": {}}) == [3, 12]
    assert riders({"match": {"text": "LIFT"}}) == [12, 3], "twice in it counts more"
    assert riders({"match": {"text": {"query": "north closed"}}}) == [3, 12]
    assert riders({"term": {"text": "South"}}) == [], "a term is not analyzed, the text was"
    assert riders({"term": {"text": "south"}}) == [12]
    assert riders({"term": {"text.keyword": "The north lift is open"}}) == [3]
    assert riders({"term": {"riders": "12"}}) == [12]
    assert riders({"term": {"open": True}}) == [3]
    assert riders({"match": {"at.gate": "b"}}) == [12]
    assert riders({"term": {"nothing": 1}}) == []
    assert riders({"match_all": {}}, size=1, **{"from": 1}) == [12]


@guide
def test_indexes_by_pattern_and_their_mapping(lab):
    lab.bulk({"n": 1, "s": "x", "d": "2023-04-01", "o": {"f": 1.5}}, index="rides-2023-04-01")
    lab.bulk({"n": 2}, index="rides-2023-04-02")
    lab.refreshed()
    assert lab.ask("GET", "/rides-*/_count")[1]["count"] == 2
    properties = lab.ask("GET", "/rides-2023-04-01/_mapping")[1]["rides-2023-04-01"]["mappings"]["properties"]
    assert {name: about.get("type") for name, about in properties.items()} == {
        "n": "long", "s": "text", "d": "date", "o": None,
    }  # fmt: skip
    assert lab.ask("DELETE", "/rides-2023-04-01")[0] == 200
    assert lab.ask("GET", "/_search")[1]["hits"]["total"]["value"] == 1


@reported
def test_a_document_that_does_not_fit_is_refused_alone(lab):
    lab.bulk({"riders": 1, "lift": "a", "at": {"x": 1}})
    status, answer = lab.bulk({"riders": "many"}, {"riders": "2"}, {"lift": {"name": "b"}}, {"at": "c"})
    assert (status, answer["errors"]) == (200, True)
    assert [item["index"]["status"] for item in answer["items"]] == [400, 201, 400, 400]
    errors = [item["index"].get("error") for item in answer["items"]]
    id = errors[0]["reason"].partition("id '")[2].partition("'")[0]
    assert errors[0] == {
        "type": "mapper_parsing_exception",
        "reason": f"failed to parse field [riders] of type [long] in document with id '{id}'. Preview of field's "
        "value: 'many'",
        "caused_by": {"type": "illegal_argument_exception", "reason": 'For input string: "many"'},
    }
    assert "failed to parse field [lift] of type [text]" in errors[2]["reason"]
    assert errors[2]["caused_by"]["reason"].startswith("Can't get text on a START_OBJECT")
    text = "object mapping for [at] tried to parse field [at] as object, but found a concrete value"
    assert errors[3]["reason"] == text
    assert [row.detail for row in lab.cloud.trace.where(kind="DocumentRefused")] == [e["reason"] for e in errors if e]


@reported
@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [(1, 10**400, "out of range"), (1, "nan", "For input string"), (1, "٣", "For input string"),
     (1, "1_0", "For input string"), (1, "inf", "For input string"), (1.5, "1e400", "only finite values"),
     ("2023-04-01", "2023-99-99", "failed to parse date field"), ("2023-04-01", "٢٠٢٣-01-01", "parse date field"),
     ("2023-04-01", "2023-04-01T99:00", "failed to parse date field"), ("2023-04-01", "9" * 30, "parse date field"),
     ("2023-04-01", 1.5, "failed to parse date field")],
)  # fmt: skip
def test_what_looks_like_a_number_or_a_date_and_is_none(lab, first, second, reason):
    lab.bulk({"f": first})
    item = lab.bulk({"f": second})[1]["items"][0]["index"]
    assert item["status"] == 400
    assert reason in item["error"]["caused_by"]["reason"]


@guide
@pytest.mark.parametrize("first", ["2023-99-99", "2023-04-01T99:00"])
def test_a_text_that_is_no_date_is_a_text(lab, first):
    """Documentation, "Date detection": a new field is a date when its first value can be read as one."""
    assert lab.bulk({"f": first})[1]["errors"] is False
    assert lab.ask("GET", "/rides/_mapping")[1]["rides"]["mappings"]["properties"]["f"]["type"] == "text"


@guide
def test_lists_within_lists_are_one_list_and_nan_is_no_json(lab):
    """Documentation, "Arrays": [[1, 2], [3]] is the same as [1, 2, 3]."""
    assert lab.bulk({"n": [[1], [[2, None], []]], "d": "2023-04-01"}, {"d": 2023})[1]["errors"] is False
    lab.refreshed()
    assert len(lab.found({"term": {"n": 2}})) == 1
    assert len(lab.found({"term": {"d": "2023-01-01"}})) == 1
    for word in (b"NaN", b"Infinity", b"[" * 5000):
        assert lab.ask("PUT", "/rides/_doc/1", b'{"n": ' + word + b"}")[0] == 400


@guide
def test_a_refresh_shows_at_once_what_was_written(lab):
    """Documentation, "Refresh index", and the parameter `refresh` of writing."""

    def count():
        return lab.ask("GET", "/_count")[1]["count"]

    lab.bulk({"n": 1})
    assert count() == 0
    assert lab.ask("POST", "/rides/_refresh")[0] == 200
    assert count() == 1
    lab.ask("POST", "/_bulk?refresh=true", b'\n{"index": {"_index": "rides"}}\n{"n": 2}\n')
    assert count() == 2
    lab.ask("PUT", "/rides/_doc/1?refresh=false", {"n": 3})
    assert count() == 2


@guide
def test_a_declared_type_holds_and_an_index_shows_itself(lab):
    mapping = {"properties": {"n": {"type": "keyword"}, "at": {"properties": {"d": {"type": "date"}}}}}
    assert lab.ask("PUT", "/rides", {"mappings": mapping})[1]["acknowledged"] is True
    lab.bulk({"n": 5, "at": {"d": 1_680_307_200_000}})
    shown = lab.ask("GET", "/rides")[1]["rides"]["mappings"]["properties"]
    assert (shown["n"], shown["at"]["properties"]["d"]) == ({"type": "keyword"}, {"type": "date"})
    lab.refreshed()
    assert len(lab.found({"term": {"n": "5"}})) == len(lab.found({"term": {"at.d": "2023-04-01"}})) == 1
    assert lab.bulk({"b": True}, {"b": "perhaps"})[1]["items"][1]["index"]["error"]["caused_by"]["reason"] == (
        "Failed to parse value [perhaps] as only [true] or [false] are allowed."
    )


@guide
def test_an_index_has_a_thousand_fields(lab):
    """Documentation, "Mapping limits": index.mapping.total_fields.limit."""
    answer = lab.bulk({f"f{n}": n for n in range(1001)})[1]["items"][0]["index"]
    assert answer["error"]["reason"] == "Limit of total fields [1000] has been exceeded"


@ours
def test_an_id_belongs_to_put_and_a_handler_to_each_method(lab):
    assert lab.ask("PUT", "/rides/_doc", {"n": 1})[0] == 405
    assert lab.ask("DELETE", "/_search") == (
        400,
        {"error": "no handler found for uri [/_search] and method [DELETE]"},
    )


@guide
def test_create_refuses_what_exists_and_delete_what_does_not(lab):
    assert lab.ask("PUT", "/rides/_create/1", {"n": 1})[0] == 201
    status, answer = lab.ask("PUT", "/rides/_create/1", {"n": 2})
    assert (status, answer["error"]["type"]) == (409, "version_conflict_engine_exception")
    assert lab.ask("DELETE", "/rides/_doc/1")[1]["result"] == "deleted"
    assert lab.ask("DELETE", "/rides/_doc/1")[0] == 404
    assert lab.ask("GET", "/rides/_doc/1")[1]["found"] is False


HTTP_REFUSALS = [
    (reported, "GET", "/none/_search", None, 404, "index_not_found_exception", "no such index [none]"),
    (reported, "PUT", "/Rides/_doc/1", "{}", 400, "invalid_index_name_exception",
     "Invalid index name [Rides], must be lowercase"),
    (reported, "POST", "/_bulk", '{"index": {"_index": "a"}}\n{"n": 1}', 400, "illegal_argument_exception",
     "The bulk request must be terminated by a newline [\\n]"),
    (reported, "POST", "/_bulk", '{"n": 1}\n', 400, "illegal_argument_exception",
     "Malformed action/metadata line [1], expected START_OBJECT or END_OBJECT"),
    (reported, "POST", "/_bulk", '{"index": {}}\n{}\n', 400, "action_request_validation_exception",
     "Validation Failed: 1: index is missing;"),
    (reported, "GET", "/rides/_search", '{"query": {"foo": {}}}', 400, "parsing_exception", "unknown query [foo]"),
    (reported, "GET", "/rides/_search", '{"size": 10001}', 400, "illegal_argument_exception",
     "Result window is too large, from + size must be less than or equal to: [10000] but was [10001]"),
    (ours, "GET", "/rides/_search", '{"aggs": {}}', 501, "not_simulated",
     "[aggs] of a search is not simulated in this lab"),
    (reported, "PUT", "/-rides", "{}", 400, "invalid_index_name_exception",
     "Invalid index name [-rides], must not start with '_', '-', or '+'"),
    (reported, "POST", "/_bulk", '{"update": {"_index": "a"}}\n{}\n', 400, "illegal_argument_exception",
     "Malformed action/metadata line [1], expected field [create], [delete], [index] or [update]"),
    (reported, "PUT", "/rides/_doc/1", "[1]", 400, "mapper_parsing_exception", "failed to parse"),
    (ours, "GET", "/rides/_search", '{"query": []}', 400, "parsing_exception",
     "query malformed, must start with start_object"),
    (ours, "GET", "/rides/_search", '{"query": {"match": 5}}', 400, "parsing_exception",
     "[match] query malformed, no start_object after query name"),
    (ours, "GET", "/rides/_search", '{"query": {"range": {"n": {"gt": 1}}}}', 501, "not_simulated",
     "query [range] is not simulated; there are match_all, match and term"),
    (reported, "GET", "/rides/_search", '{"query": {"term": {"n": "many"}}}', 400, "query_shard_exception",
     'failed to create query: For input string: "many"'),
    (reported, "GET", "/rides/_search?size=abc", None, 400, "illegal_argument_exception",
     "Failed to parse int parameter [size] with value [abc]"),
    (ours, "GET", "/rides/_search", '{"from": null}', 400, "illegal_argument_exception",
     "Failed to parse int parameter [from] with value [None]"),
    (reported, "GET", "/rides/_search", '{"size": -1}', 400, "illegal_argument_exception",
     "[size] parameter cannot be negative, found [-1]"),
    *[(ours, "GET", f"/rides/{what}", body, 400, "parsing_exception",
       "Expected [START_OBJECT] at the beginning of the request")
      for what in ("_search", "_count") for body in ("[]", "5", "null")],
    *[(ours, "GET", "/rides/_search", f'{{"query": {{"{kind}": {{"n": {wanted}}}}}}}', 400, "parsing_exception",
       f"[{kind}] query needs a text, a number or a boolean for [n]")
      for kind in ("match", "term") for wanted in ("null", "[1]", '{"query": null, "value": {}}')],
    *[(ours, "PUT", "/new", body, 400, "mapper_parsing_exception", f"Expected map for property [{name}]")
      for body, name in (('{"mappings": {"properties": 5}}', "properties"),
                         ('{"mappings": {"properties": {"a": []}}}', "a"),
                         ('{"mappings": {"properties": {"a": {"properties": "x"}}}}', "properties"))],
    (reported, "PUT", "/rides/_doc/1", "no json", 400, "mapper_parsing_exception", "failed to parse"),
    (reported, "PUT", "/rides", "{}", 400, "resource_already_exists_exception", None),
    (reported, "PUT", "/new", '{"mappings": {"properties": {"a": {"type": "number"}}}}', 400,
     "mapper_parsing_exception", "No handler for type [number] declared on field [a]"),
]  # fmt: skip


@pytest.fixture(scope="module")
def ready():
    lab = Lab()
    lab.bulk({"n": 1})
    return lab


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "reason"),
    [pytest.param(*case, marks=mark, id=f"{case[1]} {case[4]}") for mark, *case in HTTP_REFUSALS],
)
def test_a_request_that_is_refused(ready, method, path, body, status, kind, reason):
    found, answer = ready.ask(method, path, body)
    assert (found, answer["status"], answer["error"]["type"]) == (status, status, kind)
    assert reason is None or answer["error"]["reason"] == reason


LONG = "a" * 29
REFUSALS = [
    case(reported, "create_domain", {"DomainName": "lifts"}, "ResourceAlreadyExistsException",
     "Domain/lifts already exists.", 409),
    case(reported, "describe_domain", {"DomainName": "none"}, "ResourceNotFoundException", "Domain not found: none",
         409),
    case(guide, "create_domain", {"DomainName": "Lifts"}, "ValidationException",
     broken("'Lifts' at 'domainName'", "satisfy regular expression pattern: [a-z][a-z0-9\\-]+")),
    case(guide, "create_domain", {"DomainName": LONG}, "ValidationException",
         broken(f"'{LONG}' at 'domainName'", "have length less than or equal to 28")),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_in_the_words_of_aws(ready, case):
    case.check(ready.opensearch)


@ours
def test_what_the_lab_has_not_is_said_in_one_line(ready):
    for more in ({"AccessPolicies": "{}"}, {"EngineVersion": "Elasticsearch_7.10"}):
        with pytest.raises(NotSimulated, match=r"^opensearch: .* (is|are) not simulated"):
            ready.opensearch.create_domain(DomainName="new", **more)


@guide
def test_a_domain_comes_and_goes(lab):
    lab.opensearch.create_domain(DomainName="two")
    status = lab.opensearch.describe_domain(DomainName="two")["DomainStatus"]
    assert status["Processing"]
    assert "Endpoints" not in status
    assert [each["DomainName"] for each in lab.opensearch.list_domain_names()["DomainNames"]] == ["lifts", "two"]
    lab.opensearch.delete_domain(DomainName="lifts")
    with pytest.raises(OSError, match="refused"):
        lab.ask("GET", "/")
    lab.cloud.advance(61)
    assert [each["DomainName"] for each in lab.opensearch.list_domain_names()["DomainNames"]] == ["two"]


@ours
def test_a_cut_wire(lab):
    assert lab.ask("GET", "/")[0] == 200
    lab.cloud.network.partition("reader", lab.host)
    with pytest.raises(TimeoutError):
        lab.ask("GET", "/")
    lab.cloud.network.heal("reader", lab.host)
    assert lab.ask("GET", "/")[0] == 200


@ours
@pytest.mark.parametrize(
    ("sent", "first"),
    [(b"nonsense\r\n\r\n", b"HTTP/1.1 400 "), (b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"HTTP/1.1 413 "),
     (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 400 "), (b"x" * ((1 << 20) + 1), b"HTTP/1.1 431 "),
     (b"POST /_bulk HTTP/1.1\r\nContent-Length: -5000\r\n\r\n{}", b"HTTP/1.1 400 "),
     (b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"HTTP/1.1 400 "),
     (b"GET http://[ HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 "), (b"\0" * 100 + b"\r\n\r\n", b"HTTP/1.1 400 ")],
    ids=["line", "too long", "length", "head", "negative", "digits", "target", "zeros"],
)  # fmt: skip
def test_what_is_no_http(lab, sent, first):
    import socket

    def program():
        with socket.create_connection((lab.host, 80), timeout=10) as connection:
            connection.sendall(sent)
            return connection.recv(100)

    assert lab.cloud.run(program).startswith(first)


@ours
def test_a_document_is_explained_and_kept(lab):
    _, answer = lab.bulk({"n": 1})
    told = lab.cloud.explain(f"lifts/rides/{answer['items'][0]['index']['_id']}")
    assert "reader wrote it into lifts/rides" in told


@ours
@settings(max_examples=10)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers(-9, 9))), max_size=15))
def test_what_a_search_finds_is_what_was_written_last(writes):
    lab = Lab()
    model = {}
    for id, value in writes:
        if value is None:
            lab.ask("DELETE", f"/rides/_doc/{id}")
            model.pop(id, None)
        else:
            lab.ask("PUT", f"/rides/_doc/{id}", {"n": value})
            model[id] = value
    lab.bulk({"n": 100})
    lab.refreshed()
    assert sorted(each["n"] for each in lab.found({"match_all": {}}, size=100)) == [*sorted(model.values()), 100]


def test_urllib_raises_for_refusals(lab):
    def program():
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"https://{lab.host}/none/_count", timeout=5)
        return caught.value.code

    assert lab.cloud.run(program) == 404
