"""What Lambda refuses, and in which words. The marker says from where code and limits are known; texts are reported."""

import pytest
from aws_errors import case, guide, recorded, reported
from lab import ACCOUNT
from lab import Lab as Base

FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:resize"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:uploads"
STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/trucks"
RESIZE = {"FunctionName": "resize"}
MAP = {**RESIZE, "EventSourceArn": QUEUE}
FOLLOW = {**RESIZE, "EventSourceArn": STREAM, "StartingPosition": "LATEST"}
ALLOW = {**RESIZE, "StatementId": "x", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
NOT_FOUND, VALUE = "ResourceNotFoundException", "InvalidParameterValueException"


def filters(*patterns):
    return {**MAP, "FilterCriteria": {"Filters": [{"Pattern": pattern} for pattern in patterns]}}


def stopped(lab):
    lab.functions.put_function_concurrency(**RESIZE, ReservedConcurrentExecutions=0)


def allowed(lab):
    lab.functions.add_permission(**ALLOW)


def queue(lab):
    lab.create("uploads")


def fifo_queue(lab):
    lab.create("uploads.fifo")


def stream(lab):
    lab.cloud.client("kinesis").create_stream(StreamName="trucks", ShardCount=1)
    lab.cloud.advance(40)


CASES = [
    # ---- calls
    case(reported, "invoke", {"FunctionName": "missing"}, NOT_FOUND,
         f"Function not found: arn:aws:lambda:us-east-1:{ACCOUNT}:function:missing", 404),
    case(reported, "invoke", {"FunctionName": FUNCTION.replace("us-east-1", "eu-west-1")}, NOT_FOUND,
         "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')", 404),
    case(guide, "invoke", {**RESIZE, "Payload": b"{"}, "InvalidRequestContentException",
         "Could not parse request body into json: ..."),
    case(guide, "invoke", RESIZE, "TooManyRequestsException", "Rate Exceeded.", 429, setup=stopped),
    # ---- settings
    case(guide, "put_function_concurrency", {**RESIZE, "ReservedConcurrentExecutions": 901}, VALUE,
         "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
         "its minimum value of [100]."),
    case(guide, "update_function_configuration", {**RESIZE, "Timeout": 901}, VALUE,
         "...Value '901' at 'timeout' failed to satisfy constraint..."),
    case(guide, "get_function_event_invoke_config", RESIZE, NOT_FOUND, status=404),
    *(case(guide, "put_function_event_invoke_config", {**RESIZE, **bad}, VALUE,
           "...failed to satisfy constraint: Member must have value less than or equal to...")
      for bad in ({"MaximumRetryAttempts": 3}, {"MaximumEventAgeInSeconds": 21_601})),
    # ---- permissions
    case(guide, "get_policy", RESIZE, NOT_FOUND, "The resource you requested does not exist.", 404),
    case(guide, "add_permission", ALLOW, "ResourceConflictException",
         "The statement id (x) provided already exists. ...", 409, setup=allowed),
    case(guide, "remove_permission", {**RESIZE, "StatementId": "y"}, NOT_FOUND,
         "Statement y is not found in resource policy.", 404, setup=allowed),
    case(guide, "add_permission", {**ALLOW, "Principal": "nobody at all"}, VALUE,
         "The provided principal was invalid. Please check the principal and try again."),
    # ---- queues
    case(guide, "create_event_source_mapping", MAP, VALUE, "...AWS.SimpleQueueService.NonExistentQueue..."),
    *(case(guide, "create_event_source_mapping", {**MAP, **bad}, VALUE, f"...{text}...", setup=queue)
      for bad, text in (
          ({"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0 if maximum batch size"),
          ({"BatchSize": 10_001}, "Value '10001' at 'batchSize' failed to satisfy constraint"),
          ({"MaximumBatchingWindowInSeconds": 301}, "Value '301' at 'maximumBatchingWindowInSeconds' failed"),
          ({"ScalingConfig": {"MaximumConcurrency": 1001}}, "Value '1001' at 'scalingConfig.maximumConcurrency'"),
          ({"StartingPosition": "LATEST"}, "StartingPosition is not valid"))),
    *(case(guide, "create_event_source_mapping", filters(pattern), VALUE, "Invalid filter pattern definition. ...",
           setup=queue)
      for pattern in ("{", '{"body": "x"}', '{"body": [{"wrong": 1}]}', '{"body": ["' + "x" * 4096)),
    case(guide, "create_event_source_mapping", filters("[]"), VALUE, "Invalid filter pattern definition.", setup=queue),
    case(guide, "create_event_source_mapping", filters(*["{}"] * 6), VALUE, setup=queue),
    *(case(guide, "create_event_source_mapping", {**MAP, "EventSourceArn": QUEUE + ".fifo", **bad}, VALUE, text,
           setup=fifo_queue)
      for bad, text in (
          ({"BatchSize": 11}, "...at 'batchSize'..."),
          ({"MaximumBatchingWindowInSeconds": 1}, "Batching window is not supported for FIFO queues"))),
    # ---- streams
    *(case(mark, "create_event_source_mapping", {**FOLLOW, **bad}, VALUE, f"...{text}...", setup=stream)
      for mark, bad, text in (
          (guide, {"BatchSize": 10_001}, "Value '10001' at 'batchSize'"),
          (guide, {"ParallelizationFactor": 11}, "Value '11' at 'parallelizationFactor'"),
          (guide, {"MaximumRetryAttempts": 10_001}, "Value '10001' at 'maximumRetryAttempts'"),
          (guide, {"MaximumRecordAgeInSeconds": 30}, "from 60 to 604800"),
          (guide, {"StartingPosition": "AT_TIMESTAMP"}, "StartingPositionTimestamp"),
          (guide, {"ScalingConfig": {"MaximumConcurrency": 5}},
           "ScalingConfig is not valid for Kinesis event sources"),
          (recorded, {"EventSourceArn": STREAM + "-none"}, f"Stream not found: {STREAM}-none"))),
    case(guide, "create_event_source_mapping", {**RESIZE, "EventSourceArn": STREAM}, VALUE,
         "...Value null at 'startingPosition'...", setup=stream),
]  # fmt: skip


class Lab(Base):
    def __init__(self):
        super().__init__("sqs", assume={"sqs.outages_per_hour": 0})
        self.functions = self.cloud.client("lambda")
        self.cloud.deploy("resize", lambda event, context: event)


@pytest.fixture(scope="module")
def shared():
    return Lab()


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_in_the_words_of_aws(shared, case):
    lab = Lab() if case.setup else shared
    case.check(lab.functions, lab, lambda: lab.functions.list_event_source_mappings()["EventSourceMappings"])
