"""A cloud with one cluster and one bucket, for the tests of Redshift. Everything goes through boto3, in strict mode."""

import json

import pytest
from lab import ACCOUNT, NO_RETRIES, assumed
from lab import Lab as Base

ROLE = f"arn:aws:iam::{ACCOUNT}:role/loader"


class Lab(Base):
    """A cloud, its clients, and short ways to run SQL in the database "dev" and to put files into a bucket."""

    def __init__(self, limits="2023", **assume):
        super().__init__("s3", "iam", once=["redshift"], limits=limits, assume=assumed("redshift", assume))
        self.data = self.cloud.client("redshift-data", config=NO_RETRIES)
        self.s3.create_bucket(Bucket="files")
        self.role_for("redshift.amazonaws.com", "loader")
        self.iam.attach_role_policy(RoleName="loader", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
        self.redshift.create_cluster(
            ClusterIdentifier="lab", NodeType="ra3.xlplus", MasterUsername="admin", MasterUserPassword="Secret123",
            IamRoles=[ROLE],
        )  # fmt: skip
        self.redshift.get_waiter("cluster_available").wait(ClusterIdentifier="lab")

    def start(self, sql, **more):
        where = {"ClusterIdentifier": "lab", "Database": "dev", "DbUser": "admin"}
        return self.data.execute_statement(Sql=sql, **{**where, **more})["Id"]

    def finish(self, id):
        while (found := self.data.describe_statement(Id=id))["Status"] not in ("FINISHED", "FAILED", "ABORTED"):
            self.cloud.advance(0.5)
        return found

    def run(self, sql, **more):
        return self.finish(self.start(sql, **more))

    def error(self, sql, **more):
        found = self.run(sql, **more)
        assert found["Status"] == "FAILED", found
        return found["Error"]

    def rows(self, sql, **more):
        done = self.run(sql, **more)
        assert done["Status"] == "FINISHED", done
        pages = self.data.get_paginator("get_statement_result").paginate(Id=done["Id"])
        return [tuple(self.value(field) for field in row) for page in pages for row in page["Records"]]

    @staticmethod
    def value(field):
        ((kind, value),) = field.items()
        return None if kind == "isNull" else value

    def put(self, key, body):
        body = body if isinstance(body, (str, bytes)) else "".join(json.dumps(one) for one in body)
        self.s3.put_object(Bucket="files", Key=key, Body=body)

    def copy(self, table, key, options="", role=ROLE):
        return self.run(f"COPY {table} FROM 's3://files/{key}' IAM_ROLE '{role}' {options}")

    def load_errors(self, *columns):
        return self.rows(f"SELECT {', '.join(columns)} FROM stl_load_errors ORDER BY starttime, line_number")


@pytest.fixture
def lab():
    return Lab()
