"""A cloud with one OpenSearch domain. The control plane goes through boto3, documents through plain HTTP."""

import http.client
import json

import pytest
from lab import Lab as Base
from lab import assumed


class Lab(Base):
    """A cloud, its client, and `ask`: one HTTP request from a program of the cloud."""

    def __init__(self, **assume):
        super().__init__(once=["opensearch"], assume=assumed("opensearch", assume))
        self.opensearch.create_domain(DomainName="lifts")
        self.cloud.advance(601)
        self.host = self.opensearch.describe_domain(DomainName="lifts")["DomainStatus"]["Endpoints"]["vpc"]

    def ask(self, method, path, body=None):
        def program():
            connection = http.client.HTTPSConnection(self.host, timeout=10)
            text = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

        return self.cloud.run(program, name="reader")

    def bulk(self, *documents, index="rides"):
        lines = [line for document in documents for line in ({"index": {"_index": index}}, document)]
        return self.ask("POST", "/_bulk", "".join(json.dumps(line) + "\n" for line in lines))

    def refreshed(self):
        self.cloud.advance(1)

    def found(self, query, index="rides", **more):
        status, answer = self.ask("GET", f"/{index}/_search", {"query": query, **more})
        assert status == 200, answer
        return [hit["_source"] for hit in answer["hits"]["hits"]]


@pytest.fixture
def lab():
    return Lab()
