"""AWS managed policies."""

from __future__ import annotations

# AWS's own policies that concern messaging, with the actions they allow (AWS managed policy reference; those actions
# left out that belong to services which this lab has not).
_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
MANAGED: dict[str, tuple[str, ...]] = {
    "AdministratorAccess": ("*",),
    "AmazonSQSFullAccess": ("sqs:*",),
    "AmazonSQSReadOnlyAccess": (
        *("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListDeadLetterSourceQueues", "sqs:ListQueues"),
        *("sqs:ListMessageMoveTasks", "sqs:ListQueueTags"),
    ),
    "AmazonSNSFullAccess": ("sns:*",),
    "AmazonSNSReadOnlyAccess": ("sns:GetTopicAttributes", "sns:List*"),
    "AmazonSNSRole": (*_LOGS, "logs:PutMetricFilter", "logs:PutRetentionPolicy"),
    "AmazonS3FullAccess": ("s3:*",),
    "AmazonS3ReadOnlyAccess": ("s3:Get*", "s3:List*"),
    "AmazonKinesisFullAccess": ("kinesis:*",),
    "AmazonKinesisReadOnlyAccess": ("kinesis:Get*", "kinesis:List*", "kinesis:Describe*"),
    "AmazonKinesisFirehoseFullAccess": ("firehose:*",),
    "AmazonKinesisFirehoseReadOnlyAccess": ("firehose:Describe*", "firehose:List*"),
    "AmazonKinesisAnalyticsFullAccess": (
        *("kinesisanalytics:*", "kinesis:CreateStream", "kinesis:DeleteStream", "kinesis:DescribeStream"),
        *("kinesis:ListStreams", "kinesis:PutRecord", "kinesis:PutRecords", "logs:GetLogEvents"),
        *("cloudwatch:GetMetricStatistics", "cloudwatch:ListMetrics", "iam:ListPolicyVersions", "iam:ListRoles"),
    ),
    "AmazonKinesisAnalyticsReadOnly": (
        *("kinesisanalytics:Describe*", "kinesisanalytics:Get*", "kinesisanalytics:List*", "kinesis:DescribeStream"),
        *("kinesis:ListStreams", "logs:GetLogEvents", "cloudwatch:GetMetricStatistics", "cloudwatch:ListMetrics"),
        *("iam:ListPolicyVersions", "iam:ListRoles"),
    ),
    "AmazonKinesisVideoStreamsFullAccess": ("kinesisvideo:*",),
    "AmazonKinesisVideoStreamsReadOnlyAccess": (
        *("kinesisvideo:Describe*", "kinesisvideo:Get*", "kinesisvideo:List*"),
    ),
    "AmazonMQFullAccess": ("mq:*",),
    "AmazonMQReadOnlyAccess": ("mq:Describe*", "mq:List*"),
    "AmazonMQApiFullAccess": ("mq:*",),
    "AmazonMQApiReadOnlyAccess": ("mq:Describe*", "mq:List*"),
    "CloudWatchFullAccess": ("autoscaling:Describe*", "cloudwatch:*", "logs:*", "sns:*"),
    "CloudWatchFullAccessV2": (
        "cloudwatch:*",
        "logs:*",
        "sns:CreateTopic",
        "sns:ListSubscriptions",
        "sns:ListSubscriptionsByTopic",
        "sns:ListTopics",
        "sns:Subscribe",
    ),
    "CloudWatchReadOnlyAccess": (
        "cloudwatch:Describe*",
        "cloudwatch:Get*",
        "cloudwatch:List*",
        "logs:Describe*",
        "logs:Get*",
        "logs:List*",
        "logs:FilterLogEvents",
        "sns:Get*",
        "sns:List*",
    ),
    "CloudWatchLogsFullAccess": ("logs:*", "cloudwatch:GenerateQuery"),
    "CloudWatchLogsReadOnlyAccess": ("logs:Describe*", "logs:Get*", "logs:List*", "logs:FilterLogEvents"),
    "AWSLambda_FullAccess": ("lambda:*", "kms:ListAliases", "logs:DescribeLogGroups"),
    "AWSLambda_ReadOnlyAccess": ("lambda:Get*", "lambda:List*", "kms:ListAliases", "logs:DescribeLogGroups"),
    "AWSLambdaExecute": ("logs:*", "s3:GetObject", "s3:PutObject"),
    "AWSLambdaRole": ("lambda:InvokeFunction",),
    "AWSLambdaBasicExecutionRole": _LOGS,
    "AWSLambdaVPCAccessExecutionRole": _LOGS,
    "AWSLambdaKinesisExecutionRole": (
        *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator"),
        *("kinesis:ListShards", "kinesis:ListStreams", "kinesis:SubscribeToShard", *_LOGS),
    ),
    "AWSLambdaSQSQueueExecutionRole": (*("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", *_LOGS),),
    "AWSLambdaMQExecutionRole": ("mq:DescribeBroker", *_LOGS),
}
SERVICE_ROLES = tuple(name for name in MANAGED if name.startswith(("AWSLambda", "AmazonSNS")) and name.endswith("Role"))
