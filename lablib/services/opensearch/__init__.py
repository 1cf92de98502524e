"""Amazon OpenSearch Service: domains that can be asked over HTTP from any program of the cloud.

Source: API reference (2021-01-01) as shipped in botocore. A domain is a host on the virtual network with ports 443 and
80; it is in your VPC, so nobody is asked who he is. Not simulated: access policies, sizing, shards, aggregations,
scripts. Assumed: how long it takes to create and to delete a domain. What is said over HTTP is in `requests`.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.constraints import Rule, check
from lablib.aws.event import KEPT, Event
from lablib.aws.quotas import assumed, quota
from lablib.aws.service import NotSimulated, Request, Service, ServiceError, Target, World
from lablib.kernel import Signal
from lablib.kernel.network import network_of
from lablib.kernel.servers import Server
from lablib.services.opensearch.http import serve
from lablib.services.opensearch.requests import Domain, answer

Document = dict[str, Any]
_VERSION = "OpenSearch_2.5"


class Opensearch(Service):
    """OpenSearch Service in one region of one account."""

    name = "opensearch"
    throttle = ("ThrottlingException", "Rate exceeded")
    quotas = (
        quota("opensearch.domains", 100, 100, "domains", "guide: quotas (domains per Region)"),
        quota("opensearch.request_size", 10_485_760, 10_485_760, "bytes", "guide: network limits (small instances)"),
        quota("opensearch.result_window", 10_000, 10_000, "hits", "OpenSearch: index.max_result_window"),
        quota("opensearch.fields", 1000, 1000, "fields per index", "OpenSearch: index.mapping.total_fields.limit"),
        quota("opensearch.refresh", 1, 1, "s", "OpenSearch: index.refresh_interval"),
        assumed("opensearch.create_time", 600, "s", "until a domain is active; guide: 15 to 30 minutes", 0, 3600),
        assumed("opensearch.delete_time", 60, "s", "until a deleted domain is gone", 0, 3600),
    )
    events = (
        Event("DomainCreated", "domain {resource} created by {actor}"),
        Event("DomainActive", "domain {resource} is active"),
        Event("DomainDeleting", "domain {resource} is being deleted by {actor}"),
        Event("DomainDeleted", "domain {resource} is gone, with all its documents"),
        Event(
            "DocumentIndexed",
            "{actor} wrote it into {resource}",
            "{actor} wrote {message}",
            state=KEPT,
            counts="indexed",
        ),
        Event("DocumentDeleted", "{actor} deleted it from {resource}", ends="deleted"),
        Event(
            "DocumentRefused",
            "{resource} refused a document of {actor}: {detail}",
            label="document refused",
            notable="{resource} refuses a document of {actor}: {detail}",
            series="actor",
            counts="refused",
        ),
    )

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.domains: dict[str, Domain] = {}

    def target(self, operation: str, params: Document) -> Target:
        name = str(params.get("domain_name") or "")
        arn = self.arn(f"domain/{name}") if name else "*"
        return Target(name, self.world.account, (f"es:{operation}",), arn, None, name in self.domains)

    def arn(self, resource: str) -> str:
        """The service's name in ARNs and actions is "es"."""
        return str(Arn("es", self.world.region, self.world.account, resource))

    # ---- control -----------------------------------------------------------------------------------------------------

    def create_domain(
        self,
        request: Request,
        *,
        domain_name: str,
        engine_version: str = _VERSION,
        cluster_config: Document | None = None,
        ebs_options: Document | None = None,
        access_policies: str | None = None,
    ) -> Document:
        """`cluster_config` and `ebs_options` are only handed back."""
        check("domainName", domain_name, Rule(3, 28, r"[a-z][a-z0-9\-]+"))
        if not re.fullmatch(r"OpenSearch_\d+\.\d+", engine_version):
            raise NotSimulated(
                f"opensearch: EngineVersion {engine_version!r} is not simulated; there is OpenSearch_X.Y"
            )
        if access_policies:
            raise NotSimulated(
                "opensearch: AccessPolicies are not simulated: a domain is in your VPC, all there may ask it"
            )
        if domain_name in self.domains:
            text = f"Domain/{domain_name} already exists."
            raise ServiceError("ResourceAlreadyExistsException", text, status=409)
        if len(self.domains) >= self.world.quotas["opensearch.domains"]:
            raise ServiceError("LimitExceededException", "You have exceeded the number of domains.", status=409)
        id = self.world.chance.uuid("opensearch/domains").replace("-", "")[6:]
        endpoint = f"vpc-{domain_name}-{id}.{self.world.region}.es.amazonaws.com"
        settings = {"ClusterConfig": cluster_config, "EBSOptions": ebs_options}
        domain = Domain(domain_name, id, endpoint, engine_version, settings, self.now)
        self.domains[domain_name] = domain
        row = self.world.trace.add("DomainCreated", domain_name, "", request.caller, request.row)
        self.world.kernel.after(self.world.quotas["opensearch.create_time"], self._activate, domain, row)
        return {"DomainStatus": self._document(domain)}

    def _activate(self, domain: Domain, row: int) -> None:
        if domain.deleted:
            return
        network = network_of(self.world.kernel)
        network.add_host(domain.endpoint)
        domain.process = network.spawn(domain.endpoint, self._listen, domain, name=f"opensearch/{domain.name}")
        domain.processing = False
        self.world.trace.add("DomainActive", domain.name, "", "opensearch", row)

    def _listen(self, domain: Domain) -> None:
        """The program on the domain's host. It ends with the domain, or when the host loses its power."""
        kernel, most = self.world.kernel, self.world.quotas["opensearch.request_size"]
        assert kernel.current
        for port, tls in ((443, True), (80, False)):
            Server(kernel.current, port, lambda each: serve(each, partial(answer, self.world, domain), most), tls=tls)
        kernel.wait(Signal(kernel))

    def describe_domain(self, request: Request, *, domain_name: str) -> Document:
        return {"DomainStatus": self._document(self._domain(domain_name))}

    def list_domain_names(self, request: Request, *, engine_type: str | None = None) -> Document:
        names = [] if engine_type == "Elasticsearch" else sorted(self.domains)
        return {"DomainNames": [{"DomainName": name, "EngineType": "OpenSearch"} for name in names]}

    def delete_domain(self, request: Request, *, domain_name: str) -> Document:
        domain = self._domain(domain_name)
        if not domain.deleted:
            domain.deleted = domain.processing = True
            if domain.process:
                self.world.kernel.kill(domain.process)
            row = self.world.trace.add("DomainDeleting", domain_name, "", request.caller, request.row)
            self.world.kernel.after(self.world.quotas["opensearch.delete_time"], self._gone, domain, row)
        return {"DomainStatus": self._document(domain)}

    def _gone(self, domain: Domain, row: int) -> None:
        del self.domains[domain.name]
        self.world.trace.add("DomainDeleted", domain.name, "", "opensearch", row)

    def _domain(self, name: str) -> Domain:
        if name not in self.domains:
            raise ServiceError("ResourceNotFoundException", f"Domain not found: {name}", status=409)
        return self.domains[name]

    def _document(self, domain: Domain) -> Document:
        document = {
            "DomainId": f"{self.world.account}/{domain.name}",
            "DomainName": domain.name,
            "ARN": self.arn(f"domain/{domain.name}"),
            "Created": True,
            "Deleted": domain.deleted,
            "Processing": domain.processing,
            "EngineVersion": domain.version,
            "ClusterConfig": domain.settings["ClusterConfig"]
            or {"InstanceType": "m4.large.search", "InstanceCount": 1},
        }
        if domain.settings["EBSOptions"]:
            document["EBSOptions"] = domain.settings["EBSOptions"]
        return document | ({"Endpoints": {"vpc": domain.endpoint}} if domain.process else {})
