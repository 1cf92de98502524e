"""What KMS refuses, and in which words. Codes are those of its API; texts are ours, or as users quote them."""

import pytest
from aws_errors import case, ours, reported
from kms.test_kms import key_policy
from lab import ACCOUNT, OTHER
from lab import Lab as Base

NOWHERE = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/worker"}
FOREIGN = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "kms:*", "Resource": "*"}
LOCKED_OUT = "The new key policy will not allow you to update the key policy in the future."
MALFORMED, VALUE, NOT_FOUND = "MalformedPolicyDocumentException", "ValidationException", "NotFoundException"


class Lab(Base):
    def __init__(self):
        super().__init__("kms")
        self.key = {"KeyId": self.kms.create_key()["KeyMetadata"]["KeyId"]}
        self.kms.create_alias(AliasName="alias/orders", TargetKeyId=self.key["KeyId"])


def key(lab):
    return lab.key


CASES = [
    *(case(ours, operation, more, VALUE, setup=key)
      for operation, more in (
          ("encrypt", {"Plaintext": b"x" * 4097}), ("generate_data_key", {}),
          ("generate_data_key", {"KeySpec": "AES_256", "NumberOfBytes": 32}),
          ("generate_data_key", {"KeySpec": "AES_512"}), ("generate_data_key", {"NumberOfBytes": 1025}),
          ("schedule_key_deletion", {"PendingWindowInDays": 6}),
          ("schedule_key_deletion", {"PendingWindowInDays": 31}))),
    case(ours, "create_key", {"KeyUsage": "SIGN_VERIFY"}, VALUE,
         "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"),
    # ---- names
    *(case(ours, operation, params, code)
      for operation, params, code in (
          ("describe_key", {"KeyId": "alias/no"}, NOT_FOUND), ("describe_key", {"KeyId": "nonsense"}, NOT_FOUND),
          ("enable_key", {"KeyId": "alias/aws/sqs"}, "AccessDeniedException"),
          ("describe_key", {"KeyId": "00000000-0000-0000-0000-000000000000"}, NOT_FOUND),
          ("describe_key", {"KeyId": f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/aws/sqs"}, NOT_FOUND),
          ("delete_alias", {"AliasName": "alias/no"}, NOT_FOUND),
          ("update_alias", {"AliasName": "alias/no", "TargetKeyId": "x"}, NOT_FOUND),
          ("create_alias", {"AliasName": "orders", "TargetKeyId": "x"}, "InvalidAliasNameException"),
          ("create_alias", {"AliasName": "alias/aws/mine", "TargetKeyId": "x"}, "InvalidAliasNameException"),
          ("get_key_policy", {"KeyId": "nonsense"}, NOT_FOUND))),
    case(ours, "create_alias", {"AliasName": "alias/orders"}, "AlreadyExistsException",
         setup=lambda lab: {"TargetKeyId": lab.key["KeyId"]}),
    case(ours, "disable_key", {"KeyId": "alias/orders"}, NOT_FOUND,
         "Invalid keyId alias/orders: this operation takes no alias"),
    # ---- policies
    case(ours, "put_key_policy", {"Policy": key_policy(FOREIGN, root=False)}, MALFORMED, LOCKED_OUT, setup=key),
    case(ours, "create_key", {"Policy": key_policy(FOREIGN, root=False)}, MALFORMED, LOCKED_OUT),
    case(ours, "put_key_policy", {"Policy": key_policy().replace("Allow", "Permit")}, MALFORMED,
         "...Statement[0].Effect: is 'Permit'...", setup=key),
    case(reported, "create_key", {"Policy": key_policy({**FOREIGN, "Principal": NOWHERE}, root=False)}, MALFORMED,
         "Policy contains a statement with one or more invalid principals."),
    case(ours, "get_key_policy", {"PolicyName": "second"}, NOT_FOUND, setup=key),
]  # fmt: skip


@pytest.fixture(scope="module")
def lab():
    return Lab()


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_in_the_words_of_aws(lab, case):
    def left():
        about = (lab.kms.describe_key(**lab.key)["KeyMetadata"], lab.kms.get_key_policy(**lab.key)["Policy"])
        return about, lab.kms.list_keys()["Keys"], lab.kms.list_aliases()["Aliases"]

    case.check(lab.kms, lab, left)
