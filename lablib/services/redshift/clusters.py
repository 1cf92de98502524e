"""Amazon Redshift, provisioned clusters: to create, describe and delete them.

Source: Redshift API reference (2012-12-01) as shipped in botocore. Assumed: how long it takes to create and to delete
one. Not simulated: snapshots, resizing, subnets, parameter groups, serverless workgroups.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lablib.aws.lists import Tags, page_of
from lablib.aws.service import NotSimulated, Request, Service, ServiceError, Target, World
from lablib.services.redshift.tables import EVENTS, QUOTAS
from lablib.services.redshift.warehouse import Warehouse

Document = dict[str, Any]
_NODES = ("dc2.large", "dc2.8xlarge", "ra3.large", "ra3.xlplus", "ra3.4xlarge", "ra3.16xlarge")
_NAME = re.compile(r"[a-z](-?[a-z0-9]){0,62}")


@dataclass(eq=False)
class Cluster:
    """A cluster. `warehouses`: its databases by name, each opened when first used."""

    name: str
    node_type: str
    nodes: int
    user: str
    database: str
    created: float
    port: int
    roles: list[str]
    tags: Tags
    status: str = "creating"
    warehouses: dict[str, Warehouse] = field(default_factory=dict)


def clusters_of(world: World) -> dict[str, Cluster]:
    """The clusters of an account and region by name, which both APIs of Redshift are about."""
    found: dict[str, Cluster] = world.shared.setdefault("redshift", {}).setdefault((world.account, world.region), {})
    return found


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValueFault", message, code="InvalidParameterValue")


class Redshift(Service):
    """Redshift in one region of one account."""

    name = "redshift"
    throttle = ("Throttling", "Rate exceeded")
    access_denied = ("AccessDenied", 403)
    quotas = QUOTAS
    events = EVENTS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.clusters = clusters_of(world)

    def target(self, operation: str, params: Document) -> Target:
        name = str(params.get("cluster_identifier") or "")
        arn = self.arn(f"cluster:{name}") if name else "*"
        return Target(name, self.world.account, (f"redshift:{operation}",), arn, None, name in self.clusters)

    def create_cluster(
        self,
        request: Request,
        *,
        cluster_identifier: str,
        node_type: str,
        master_username: str,
        master_user_password: str | None = None,
        manage_master_password: bool = False,
        db_name: str = "dev",
        cluster_type: str | None = None,
        number_of_nodes: int | None = None,
        port: int = 5439,
        iam_roles: list[str] | None = None,
        publicly_accessible: bool = False,
        encrypted: bool = False,
        tags: list[dict[str, str]] | None = None,
    ) -> Document:
        """`publicly_accessible` and `encrypted` make no difference here."""
        _check_name(cluster_identifier)
        if cluster_identifier in self.clusters:
            raise ServiceError("ClusterAlreadyExistsFault", "Cluster already exists", code="ClusterAlreadyExists")
        if node_type not in _NODES:
            raise _invalid(f"Invalid node type: {node_type}")
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", db_name):
            raise _invalid("The parameter DBName must contain 1 to 64 lowercase letters, digits or underscores.")
        _check_password(master_user_password, manage_master_password)
        nodes = self._nodes(cluster_type, number_of_nodes)
        if len(self.clusters) >= self.world.quotas["redshift.clusters"]:
            text = "The request would exceed the allowed number of cluster instances for this account."
            raise ServiceError("ClusterQuotaExceededFault", text, code="ClusterQuotaExceeded")
        cluster = Cluster(
            cluster_identifier, node_type, nodes, master_username, db_name, self.now, port, list(iam_roles or ()),
            Tags.read(tags),
        )  # fmt: skip
        self.clusters[cluster_identifier] = cluster
        row = self.world.trace.add("ClusterCreated", cluster.name, "", request.caller, request.row)
        self.world.kernel.after(self.world.quotas["redshift.create_time"], self._available, cluster, row)
        return {"Cluster": self._document(cluster)}

    def _nodes(self, kind: str | None, number: int | None) -> int:
        if kind not in (None, "single-node", "multi-node"):
            raise _invalid(f"Invalid cluster type: {kind}")
        if kind == "single-node" and number not in (None, 1):
            text = "Number of nodes for cluster type single-node must be 1"
            raise ServiceError("InvalidParameterCombinationFault", text, code="InvalidParameterCombination")
        if kind == "multi-node" and (number is None or number < 2):
            text = "Number of nodes for cluster type multi-node must be greater than or equal to 2"
            raise ServiceError("InvalidParameterCombinationFault", text, code="InvalidParameterCombination")
        if number is not None and not 1 <= number <= self.world.quotas["redshift.nodes"]:
            raise _invalid(f"Invalid number of nodes: {number}")
        return number or 1

    def _available(self, cluster: Cluster, row: int) -> None:
        if cluster.status == "creating":
            cluster.status = "available"
            self.world.trace.add("ClusterAvailable", cluster.name, "", "redshift", row)

    def describe_clusters(
        self,
        request: Request,
        *,
        cluster_identifier: str | None = None,
        marker: str | None = None,
        max_records: int = 100,
    ) -> Document:
        if cluster_identifier is not None:
            return {"Clusters": [self._document(self._cluster(cluster_identifier))]}
        page, more = page_of(self.clusters, marker, max_records, _invalid(f"Invalid marker: {marker}"), "Marker")
        return {"Clusters": [self._document(self.clusters[name]) for name in page]} | more

    def delete_cluster(
        self,
        request: Request,
        *,
        cluster_identifier: str,
        skip_final_cluster_snapshot: bool = False,
        final_cluster_snapshot_identifier: str | None = None,
    ) -> Document:
        cluster = self._cluster(cluster_identifier)
        if cluster.status == "deleting":
            text = (
                f"There is an operation running on the Cluster {cluster.name}. Please try to delete it at a later time."
            )
            raise ServiceError("InvalidClusterStateFault", text, code="InvalidClusterState")
        if final_cluster_snapshot_identifier:
            raise NotSimulated("redshift: snapshots are not simulated; pass SkipFinalClusterSnapshot=True")
        if not skip_final_cluster_snapshot:
            text = "FinalClusterSnapshotIdentifier is required unless SkipFinalClusterSnapshot is specified."
            raise ServiceError("InvalidParameterCombinationFault", text, code="InvalidParameterCombination")
        cluster.status = "deleting"
        row = self.world.trace.add("ClusterDeleting", cluster.name, "", request.caller, request.row)
        self.world.kernel.after(self.world.quotas["redshift.delete_time"], self._deleted, cluster, row)
        return {"Cluster": self._document(cluster)}

    def _deleted(self, cluster: Cluster, row: int) -> None:
        del self.clusters[cluster.name]
        self.world.trace.add("ClusterDeleted", cluster.name, "", "redshift", row)

    def _cluster(self, name: str) -> Cluster:
        if name not in self.clusters:
            raise ServiceError("ClusterNotFoundFault", f"Cluster {name} not found.", code="ClusterNotFound", status=404)
        return self.clusters[name]

    def _document(self, cluster: Cluster) -> Document:
        ready = cluster.status == "available"
        host = f"{cluster.name}.lab.{self.world.region}.redshift.amazonaws.com"
        document: Document = {
            "ClusterIdentifier": cluster.name,
            "NodeType": cluster.node_type,
            "ClusterStatus": cluster.status,
            "ClusterAvailabilityStatus": "Available" if ready else "Unavailable",
            "MasterUsername": cluster.user,
            "DBName": cluster.database,
            "NumberOfNodes": cluster.nodes,
            "IamRoles": [{"IamRoleArn": arn, "ApplyStatus": "in-sync"} for arn in cluster.roles],
            "Tags": cluster.tags.listed(),
        }
        if cluster.status != "creating":
            document |= {
                "Endpoint": {"Address": host, "Port": cluster.port},
                "ClusterCreateTime": self.date(cluster.created),
            }
        return document


def _check_name(name: str) -> None:
    if len(name) > 63 or not _NAME.fullmatch(name):
        raise _invalid(
            "The parameter ClusterIdentifier is not a valid identifier. Identifiers must begin with a letter; must "
            "contain only lowercase ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two "
            "consecutive hyphens."
        )


def _check_password(password: str | None, managed: bool) -> None:
    if managed and password is not None:
        text = "You can't specify MasterUserPassword when ManageMasterPassword is true."
        raise ServiceError("InvalidParameterCombinationFault", text, code="InvalidParameterCombination")
    if managed:
        return
    if password is None:
        raise ServiceError("MissingParameter", "The parameter MasterUserPassword must be provided")
    fits = 8 <= len(password) <= 64 and all(re.search(p, password) for p in ("[A-Z]", "[a-z]", "[0-9]"))
    if not fits or re.search(r"[/@\"' \\]|[^\x21-\x7e]", password):
        raise _invalid(
            "The parameter MasterUserPassword must have 8 to 64 characters, among them an uppercase letter, a "
            "lowercase letter and a digit, and none of / @ \" ' \\ or a space."
        )
