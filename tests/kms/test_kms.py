"""KMS: keys, their states, aliases and policies, and what they encrypt. All through boto3, in strict mode."""

import json

import pytest
from aws_errors import code_and_message as refused

from lablib.aws.service import NotSimulated
from lablib.cloud import Cloud

pytestmark = pytest.mark.ours  # where a test names no source

ACCOUNT, OTHER = "123456789012", "444455556666"
DAY = 86_400
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    }
)


def key_policy(*statements, root=True):
    own = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [*([own] if root else []), *statements]})


@pytest.fixture
def cloud():
    return Cloud(seed=1, strict=True)


@pytest.fixture
def kms(cloud):
    return cloud.client("kms")


@pytest.fixture
def key(kms):
    return kms.create_key(Description="orders")["KeyMetadata"]


def make_role(cloud, name, *actions, resource="*", account=ACCOUNT):
    iam = cloud.client("iam", account=account)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    if actions:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
        policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
        iam.put_role_policy(RoleName=name, PolicyName="use", PolicyDocument=policy)
    return f"arn:aws:iam::{account}:role/{name}"


# ---- encrypting ------------------------------------------------------------------------------------------------------


def test_what_was_encrypted_can_be_decrypted(kms, key):
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret")["CiphertextBlob"]
    assert b"secret" not in blob
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
    opened = kms.decrypt(CiphertextBlob=blob, KeyId=key["Arn"])
    assert (opened["KeyId"], opened["EncryptionAlgorithm"]) == (key["Arn"], "SYMMETRIC_DEFAULT")


def test_the_same_text_gives_another_blob_each_time_and_the_same_in_another_run(kms, key):
    def blobs(kms, key):
        return [kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret")["CiphertextBlob"] for _ in range(3)]

    first = blobs(kms, key)
    assert len(set(first)) == 3
    other = Cloud(seed=1, strict=True).client("kms")
    assert blobs(other, other.create_key()["KeyMetadata"]) == first


def test_a_blob_that_was_changed_or_is_none_opens_no_more(kms, key):
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret")["CiphertextBlob"]
    for place in range(len(blob)):
        broken = bytearray(blob)
        broken[place] ^= 1
        assert refused(kms.decrypt, CiphertextBlob=bytes(broken))[0] == "InvalidCiphertextException"
    for broken in (b"nonsense", blob + b"x", blob[:-1]):
        assert refused(kms.decrypt, CiphertextBlob=broken)[0] == "InvalidCiphertextException"


def test_another_key_does_not_open_it_and_another_cloud_neither(kms, key):
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret")["CiphertextBlob"]
    second = kms.create_key()["KeyMetadata"]["KeyId"]
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=second)[0] == "IncorrectKeyException"
    other = Cloud(seed=2, strict=True).client("kms")
    assert refused(other.decrypt, CiphertextBlob=blob)[0] == "InvalidCiphertextException"


def test_the_encryption_context_must_be_the_same(kms, key):
    context = {"queue": "orders", "b": "2"}
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    same = {"b": "2", "queue": "orders"}
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=same)["Plaintext"] == b"x"
    for wrong in ({}, {"queue": "sales", "b": "2"}):
        code, _ = refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=wrong)
        assert code == "InvalidCiphertextException"


@pytest.mark.parametrize(
    ("asked", "size"), [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 64}, 64)]
)
def test_a_data_key_comes_open_and_closed(kms, key, asked, size):
    one, two = (kms.generate_data_key(KeyId=key["KeyId"], **asked) for _ in range(2))
    assert len(one["Plaintext"]) == size
    assert one["Plaintext"] != two["Plaintext"]
    assert kms.decrypt(CiphertextBlob=one["CiphertextBlob"])["Plaintext"] == one["Plaintext"]


# ---- states ----------------------------------------------------------------------------------------------------------


def test_a_new_key(key):
    assert (key["KeyState"], key["Enabled"], key["KeyManager"]) == ("Enabled", True, "CUSTOMER")
    assert key["Arn"] == f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{key['KeyId']}"
    assert (key["KeyUsage"], key["KeySpec"], key["Description"]) == ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "orders")


def test_a_disabled_key_can_be_looked_at_but_not_used(kms, key):
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key["KeyId"])
    disabled = ("DisabledException", f"{key['Arn']} is disabled.")
    assert refused(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x") == disabled
    assert refused(kms.decrypt, CiphertextBlob=blob) == disabled
    assert refused(kms.generate_data_key, KeyId=key["KeyId"], KeySpec="AES_256") == disabled
    metadata = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"]) == ("Disabled", False)
    kms.enable_key(KeyId=key["KeyId"])
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_deletion_waits_and_can_be_cancelled(cloud, kms, key):
    answer = kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    assert answer["KeyState"] == "PendingDeletion"
    assert answer["DeletionDate"].isoformat() == "2023-04-08T00:00:00+00:00"
    pending = ("KMSInvalidStateException", f"{key['Arn']} is pending deletion.")
    for operation in (kms.enable_key, kms.disable_key, kms.schedule_key_deletion):
        assert refused(operation, KeyId=key["KeyId"]) == pending
    assert refused(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x") == pending
    assert refused(kms.create_alias, AliasName="alias/x", TargetKeyId=key["KeyId"]) == pending
    assert kms.cancel_key_deletion(KeyId=key["KeyId"])["KeyId"] == key["Arn"]
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Disabled"
    assert refused(kms.cancel_key_deletion, KeyId=key["KeyId"])[0] == "KMSInvalidStateException"
    cloud.advance(30 * DAY)
    assert kms.describe_key(KeyId=key["KeyId"])


def test_after_the_waiting_period_the_key_is_gone_for_good_and_all_it_encrypted_with_it(cloud, kms, key):
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key["KeyId"])
    blob = kms.encrypt(KeyId="alias/orders", Plaintext=b"x")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key["KeyId"])
    cloud.advance(30 * DAY - 60)
    assert refused(kms.decrypt, CiphertextBlob=blob)[0] == "KMSInvalidStateException"
    cloud.advance(60)
    assert refused(kms.decrypt, CiphertextBlob=blob)[0] == "InvalidCiphertextException"
    gone = ("NotFoundException", f"Key '{key['Arn']}' does not exist")
    assert refused(kms.describe_key, KeyId=key["KeyId"]) == gone
    assert refused(kms.describe_key, KeyId="alias/orders")[0] == "NotFoundException"
    assert key["KeyId"] not in [k["KeyId"] for k in kms.list_keys()["Keys"]]
    assert "alias/orders" not in [a["AliasName"] for a in kms.list_aliases()["Aliases"]]


@pytest.mark.guide
@pytest.mark.parametrize(
    ("usage", "spec"),
    [("SIGN_VERIFY", "RSA_2048"), ("GENERATE_VERIFY_MAC", "HMAC_256"), ("ENCRYPT_DECRYPT", "RSA_4096")],
)
def test_asymmetric_and_hmac_keys_are_not_simulated_and_get_no_made_up_error(kms, usage, spec):
    """All these pairs are valid (API: CreateKey)."""
    with pytest.raises(NotSimulated, match=f"KeySpec {spec} is not simulated"):
        kms.create_key(KeyUsage=usage, KeySpec=spec)


# ---- names -----------------------------------------------------------------------------------------------------------


def test_a_key_has_an_id_an_arn_and_aliases(kms, key):
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key["Arn"])
    names = (key["KeyId"], key["Arn"], "alias/orders", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/orders")
    assert {kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] for name in names} == {key["KeyId"]}
    second = kms.create_key()["KeyMetadata"]
    kms.update_alias(AliasName="alias/orders", TargetKeyId=second["KeyId"])
    assert kms.describe_key(KeyId="alias/orders")["KeyMetadata"]["Arn"] == second["Arn"]
    (alias,) = kms.list_aliases(KeyId=second["KeyId"])["Aliases"]
    assert alias == {
        "AliasName": "alias/orders",
        "AliasArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/orders",
        "TargetKeyId": second["KeyId"],
    }
    kms.delete_alias(AliasName="alias/orders")
    assert kms.list_aliases(KeyId=second["KeyId"])["Aliases"] == []


def test_lists_come_in_pages(kms):
    made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)}
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))
    found = [k["KeyId"] for page in pages for k in page["Keys"]]
    assert len(found) == len(set(found)) == 7  # and two of AWS's
    assert made < set(found)
    for number in range(3):
        kms.create_alias(AliasName=f"alias/a{number}", TargetKeyId=found[0])
    names = [a["AliasName"] for page in kms.get_paginator("list_aliases").paginate(Limit=2) for a in page["Aliases"]]
    assert names == ["alias/a0", "alias/a1", "alias/a2", "alias/aws/sns", "alias/aws/sqs"]


# ---- who may ---------------------------------------------------------------------------------------------------------


def test_the_default_policy_leaves_it_to_the_accounts_own_policies(cloud, kms, key):
    make_role(cloud, "plain")
    make_role(cloud, "able", "kms:Encrypt", resource=key["Arn"])
    denied = refused(cloud.client("kms", role="plain").encrypt, KeyId=key["KeyId"], Plaintext=b"x")
    assert denied[0] == "AccessDeniedException"
    assert "is not authorized to perform: kms:Encrypt on resource: " + key["Arn"] in denied[1]
    assert cloud.client("kms", role="able").encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    document = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
    assert document["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def test_an_identity_policy_is_not_enough_when_the_key_policy_does_not_let_in(cloud, kms):
    me = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/administrator"}
    mine = {"Effect": "Allow", "Principal": me, "Action": "kms:*", "Resource": "*"}
    key = kms.create_key(Policy=key_policy(mine, root=False))["KeyMetadata"]
    make_role(cloud, "able", "kms:*")
    code, message = refused(cloud.client("kms", role="able").encrypt, KeyId=key["KeyId"], Plaintext=b"x")
    assert code == "AccessDeniedException"
    assert message.endswith("because no resource-based policy allows the kms:Encrypt action")


def test_a_key_policy_that_names_the_role_is_enough(cloud, kms, key):
    role = make_role(cloud, "named")
    grant = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:Encrypt", "Resource": "*"}
    kms.put_key_policy(KeyId=key["KeyId"], Policy=key_policy(grant))
    assert json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])["Statement"][1] == grant
    client = cloud.client("kms", role="named")
    blob = client.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    assert refused(client.decrypt, CiphertextBlob=blob)[0] == "AccessDeniedException"


def test_another_account_needs_both_sides(cloud, kms, key):
    make_role(cloud, "guest", "kms:Encrypt", account=OTHER)
    guest = cloud.client("kms", role="guest", account=OTHER)
    assert refused(guest.encrypt, KeyId=key["Arn"], Plaintext=b"x")[0] == "AccessDeniedException"
    grant = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "kms:*", "Resource": "*"}
    kms.put_key_policy(KeyId=key["KeyId"], Policy=key_policy(grant))
    assert guest.encrypt(KeyId=key["Arn"], Plaintext=b"x")["KeyId"] == key["Arn"]
    assert refused(guest.generate_data_key, KeyId=key["Arn"], KeySpec="AES_256")[0] == "AccessDeniedException"


def test_who_insists_locks_himself_out(kms, key):
    foreign = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "kms:*", "Resource": "*"}
    kms.put_key_policy(KeyId=key["KeyId"], Policy=key_policy(foreign, root=False), BypassPolicyLockoutSafetyCheck=True)
    assert refused(kms.describe_key, KeyId=key["KeyId"])[0] == "AccessDeniedException"


@pytest.mark.parametrize("service", ["sqs", "sns"])
def test_the_keys_that_aws_manages_cannot_be_changed_nor_used_directly(kms, service):
    key = kms.describe_key(KeyId=f"alias/aws/{service}")["KeyMetadata"]
    assert key["KeyManager"] == "AWS"
    assert json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])["Id"] == f"auto-{service}-1"
    for call, more in (
        (kms.put_key_policy, {"Policy": key_policy()}),
        (kms.disable_key, {}),
        (kms.schedule_key_deletion, {}),
        (kms.encrypt, {"Plaintext": b"x"}),
    ):
        assert refused(call, KeyId=key["KeyId"], **more)[0] == "AccessDeniedException"
