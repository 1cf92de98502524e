"""The plain client of the lab's own actors."""

import pytest

from lablib import Cloud
from lablib.aws.service import ServiceError
from lablib.clients.direct import snake
from lablib.gateway import pascal


@pytest.mark.parametrize(
    ("aws", "python"), [("QueueUrl", "queue_url"), ("MaxNumberOfMessages", "max_number_of_messages"), ("Id", "id")]
)
def test_names_translate_as_botocore_translates_them(aws, python):
    from botocore import xform_name

    assert snake(aws) == python == xform_name(aws)
    assert pascal(python) == aws


def test_every_name_of_the_simulated_operations_translates_as_botocores():
    from botocore import xform_name

    with Cloud() as cloud:
        model = cloud.client("sqs").meta.service_model
        for operation in cloud.service("sqs").coverage():
            shape = model.operation_model(pascal(operation)).input_shape
            assert all(snake(member) == xform_name(member) for member in shape.members)


def test_it_speaks_boto3s_language_with_bare_errors():
    with Cloud() as cloud:
        sqs = cloud.direct("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        assert sqs.send_message(QueueUrl=url, MessageBody="x")["MessageId"]
        with pytest.raises(ServiceError, match="does not exist") as caught:
            sqs.get_queue_url(QueueName="nope")
        assert caught.value.shape == "QueueDoesNotExist"
