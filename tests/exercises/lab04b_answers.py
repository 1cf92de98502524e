"""Wrong answers to lab 04b's photo pipeline, as learners write them, each with what the verdict must say."""

import json
import time
from urllib.parse import unquote, unquote_plus

from exercises.lab04_answers import make_queue, policy_for

# ---- 04b.pipeline ----------------------------------------------------------------------------------------------------

_JPG_IN_PHOTOS = (("prefix", "photos/"), ("suffix", ".jpg"))


def _uploads(event):
    """The events of S3 in an event of SNS, the keys decoded."""
    for record in event["Records"]:
        for upload in json.loads(record["Sns"]["Message"]).get("Records", []):
            yield upload, unquote_plus(upload["s3"]["object"]["key"])


def _saving(save):
    def handler(event, context):
        for _, key in _uploads(event):
            save(key)

    return handler


def _from_bucket(bucket, account="123456789012"):
    condition = {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}}
    return condition | ({"StringEquals": {"aws:SourceAccount": account}} if account else {})


def _pipeline(
    handler=_saving,
    events=("s3:ObjectCreated:*",),
    filters=_JPG_IN_PHOTOS,
    s3_may=_from_bucket,
    queues_let_in=True,
    queue_condition=None,
    sns_may=True,
    source=True,
    subscribed=("queues", "function"),
    first="policies",
    name="catalogue",
):
    """A pipeline with one thing changed."""

    def pipeline(cloud, bucket, save):
        s3, sns, sqs, functions = (cloud.client(service) for service in ("s3", "sns", "sqs", "lambda"))
        topic_arn = sns.create_topic(Name="uploads")["TopicArn"]

        def notify():
            rules = [{"Name": kind, "Value": value} for kind, value in filters]
            rule = {"TopicArn": topic_arn, "Events": list(events), "Filter": {"Key": {"FilterRules": rules}}}
            configuration = {"TopicConfigurations": [rule]} if events else {}
            s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)

        if first == "notification":
            notify()
        text = policy_for(
            topic_arn, "", "sns:Publish", {"Service": "s3.amazonaws.com"} if s3_may else "*", s3_may and s3_may(bucket)
        )
        if s3_may is not None:
            sns.set_topic_attributes(TopicArn=topic_arn, AttributeName="Policy", AttributeValue=text)
        for queue in ("thumbnails", "search"):
            url, arn = make_queue(sqs, queue)
            if queues_let_in:
                policy = policy_for(arn, topic_arn, condition=queue_condition)
                sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
            if "queues" in subscribed:
                sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
        function_arn = cloud.deploy(name, handler(save))
        if sns_may:
            right = {"StatementId": "sns", "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"}
            functions.add_permission(FunctionName=name, **right, **({"SourceArn": topic_arn} if source else {}))
        if "function" in subscribed:
            sns.subscribe(TopicArn=topic_arn, Protocol="lambda", Endpoint=function_arn)
        notify()

    return pipeline


def _without_decoding(save):
    def handler(event, context):
        for upload, _ in _uploads(event):
            save(upload["s3"]["object"]["key"])

    return handler


def _percent_only(save):
    def handler(event, context):
        for upload, _ in _uploads(event):
            save(unquote(upload["s3"]["object"]["key"]))

    return handler


def _of_the_test_event_too(save):
    def handler(event, context):
        for upload in json.loads(event["Records"][0]["Sns"]["Message"])["Records"]:
            save(unquote_plus(upload["s3"]["object"]["key"]))

    return handler


def _as_if_from_s3(save):
    def handler(event, context):
        for upload in event["Records"]:
            save(unquote_plus(upload["s3"]["object"]["key"]))

    return handler


def _hiding_errors(save):
    def handler(event, context):
        for _, key in _uploads(event):
            try:
                save(key)
            except Exception as error:
                print("could not save", key, error)

    return handler


def _insisting(save):
    def handler(event, context):
        for _, key in _uploads(event):
            save(key)
            save(key)

    return handler


def _printing(save):
    def handler(event, context):
        print(list(_uploads(event)))

    return handler


def _slow(save):
    def handler(event, context):
        for _, key in _uploads(event):
            time.sleep(5)
            save(key)

    return handler


def _failing_afterwards(save):
    def handler(event, context):
        for _, key in _uploads(event):
            save(key)
            raise RuntimeError("no thumbnail")

    return handler


def _of_the_event_alone(save):
    def handler(event):
        _saving(save)(event, None)

    return handler


def _with_the_bucket(save):
    def handler(event, context):
        for upload, key in _uploads(event):
            save(upload["s3"]["bucket"]["name"], key)

    return handler


def _of_the_text(save):
    def handler(event, context):
        for record in event["Records"]:
            save(record["Sns"]["Message"]["Records"][0]["s3"]["object"]["key"])

    return handler


def _with_a_helper(save):
    def key_of(upload):
        return unquote_plus(upload["s3"]["object"]["key"])

    def handler(event, context):
        for upload, _ in _uploads(event):
            save(key_of(upload, "key"))

    return handler


pipeline_without_decoding = _pipeline(_without_decoding)
pipeline_decodes_percent_only = _pipeline(_percent_only)
pipeline_stumbles_over_the_test_event = _pipeline(_of_the_test_event_too)
pipeline_reads_it_as_if_from_s3 = _pipeline(_as_if_from_s3)
pipeline_hides_errors = _pipeline(_hiding_errors)
pipeline_saves_twice = _pipeline(_insisting)
pipeline_fails_afterwards = _pipeline(_failing_afterwards)
pipeline_handler_takes_the_event_alone = _pipeline(_of_the_event_alone)
pipeline_saves_with_the_bucket = _pipeline(_with_the_bucket)
pipeline_reads_text_as_a_dict = _pipeline(_of_the_text)
pipeline_calls_its_helper_wrongly = _pipeline(_with_a_helper)
pipeline_only_prints = _pipeline(_printing)
pipeline_is_too_slow = _pipeline(_slow)
pipeline_hears_of_puts_only = _pipeline(events=("s3:ObjectCreated:Put",))
pipeline_hears_of_deletes_too = _pipeline(events=("s3:ObjectCreated:*", "s3:ObjectRemoved:*"))
pipeline_has_no_rule = _pipeline(events=())
pipeline_takes_all_files = _pipeline(filters=(("prefix", "photos/"),))
pipeline_takes_all_folders = _pipeline(filters=(("suffix", ".jpg"),))
pipeline_prefix_without_slash = _pipeline(filters=(("prefix", "photos"), ("suffix", ".jpg")))
pipeline_notifies_first = _pipeline(first="notification")
pipeline_without_topic_policy = _pipeline(s3_may=None)
pipeline_open_to_all_buckets = _pipeline(s3_may=lambda bucket: {"StringEquals": {"aws:SourceAccount": "123456789012"}})
pipeline_forgets_the_account = _pipeline(s3_may=lambda bucket: _from_bucket(bucket, ""))
pipeline_without_queue_policies = _pipeline(queues_let_in=False)
pipeline_queues_open_to_all_topics = _pipeline(queue_condition={})
pipeline_may_not_invoke = _pipeline(sns_may=False)
pipeline_invoked_by_any_topic = _pipeline(source=False)
pipeline_forgets_the_function = _pipeline(subscribed=("queues",))
pipeline_calls_it_otherwise = _pipeline(name="catalog")


def pipeline_three_rules(cloud, bucket, save):
    sqs = cloud.client("sqs")
    rules = []
    for name in ("thumbnails", "search"):
        url, arn = make_queue(sqs, name)
        policy = policy_for(arn, "", principal={"Service": "s3.amazonaws.com"}, condition=_from_bucket(bucket))
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        rules.append({"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]})
    configuration = {"QueueConfigurations": rules}
    cloud.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def pipeline_a_rule_for_each(cloud, bucket, save):
    _pipeline()(cloud, bucket, save)
    s3 = cloud.client("s3")
    rules = s3.get_bucket_notification_configuration(Bucket=bucket)["TopicConfigurations"]
    again = {key: value for key, value in rules[0].items() if key != "Id"}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"TopicConfigurations": [*rules, again]}
    )


def pipeline_to_one_queue(cloud, bucket, save):
    url, arn = make_queue(cloud.client("sqs"), "thumbnails")
    policy = policy_for(arn, "", principal={"Service": "s3.amazonaws.com"}, condition=_from_bucket(bucket))
    cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    configuration = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    cloud.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


WRONG = [
    ("04b.pipeline", pipeline_without_decoding, [r"save\('photos/my\+cat.jpg'\)", "unquote_plus", "1 upload, seed"]),
    ("04b.pipeline", pipeline_decodes_percent_only, [r"save\('photos/my\+cat.jpg'\)", "a space as '\\+'"]),
    ("04b.pipeline", pipeline_stumbles_over_the_test_event, ["failed on S3's test event, KeyError: 'Records'"]),
    ("04b.pipeline", pipeline_reads_it_as_if_from_s3, ["in all 3 tries. KeyError: 's3'", "SNS has wrapped it"]),
    ("04b.pipeline", pipeline_hides_errors, ["your function caught the exception", "save fails for 30 seconds"]),
    ("04b.pipeline", pipeline_saves_twice, ["was saved twice", "called save more than once"]),
    ("04b.pipeline", pipeline_fails_afterwards, ["saved 3 times", "failed after it had saved .RuntimeError: no thumb"]),
    (
        "04b.pipeline",
        pipeline_handler_takes_the_event_alone,
        ["Lambda cannot call function 'catalogue'", r"takes \(event\)\. .* write: def handler\(event, context\)"],
    ),
    ("04b.pipeline", pipeline_saves_with_the_bucket, [r"save\(key\) takes the key only"]),
    (
        "04b.pipeline",
        pipeline_reads_text_as_a_dict,
        ["TypeError: string indices must be integers", "SNS has wrapped it"],
    ),
    ("04b.pipeline", pipeline_calls_its_helper_wrongly, [r"in all 3 tries\. TypeError: .*but 2 were given\nThe case"]),
    ("04b.pipeline", pipeline_only_prints, ["ended without save"]),
    ("04b.pipeline", pipeline_is_too_slow, ["Task timed out after 3.00 seconds"]),
    (
        "04b.pipeline",
        pipeline_hears_of_puts_only,
        ["was copied into the bucket, and no event went", "ObjectCreated:Put", r"s3:ObjectCreated:\* is all of them"],
    ),
    ("04b.pipeline", pipeline_hears_of_deletes_too, ["was deleted, and queue 'thumbnails' got a message about it"]),
    ("04b.pipeline", pipeline_has_no_rule, ["has no event notification: nobody hears of an upload"]),
    (
        "04b.pipeline",
        pipeline_takes_all_files,
        [r"is no \.jpg under photos/", "came to queue 'thumbnails' and", "suffix ''"],
    ),
    ("04b.pipeline", pipeline_takes_all_folders, ["is no .jpg under photos/", "prefix '' and suffix '.jpg'"]),
    ("04b.pipeline", pipeline_prefix_without_slash, ["'photos-old/cat.jpg' is no", "prefix 'photos' and"]),
    (
        "04b.pipeline",
        pipeline_notifies_first,
        ["Unable to validate", "S3 tried at once, and has no right", "'uploads'"],
    ),
    ("04b.pipeline", pipeline_without_topic_policy, ["S3 tried at once", "__default_statement_ID"]),
    ("04b.pipeline", pipeline_open_to_all_buckets, ["Another bucket of your account, invoices, may publish"]),
    ("04b.pipeline", pipeline_forgets_the_account, ["same name in another account may publish", "no account number"]),
    ("04b.pipeline", pipeline_without_queue_policies, ["did not come to queue 'thumbnails'", "It has none"]),
    ("04b.pipeline", pipeline_queues_open_to_all_topics, ["may send into queue 'thumbnails'", "Let in your own topic"]),
    (
        "04b.pipeline",
        pipeline_may_not_invoke,
        ["did not come to function 'catalogue'", "policy of the function decides"],
    ),
    (
        "04b.pipeline",
        pipeline_invoked_by_any_topic,
        ["may invoke function 'catalogue'", "SourceArn=the ARN of your topic"],
    ),
    ("04b.pipeline", pipeline_forgets_the_function, ["function 'catalogue': it is not subscribed to the topic"]),
    ("04b.pipeline", pipeline_calls_it_otherwise, ["There is no function 'catalogue'. Make it: cloud.deploy"]),
    ("04b.pipeline", pipeline_three_rules, ["Configurations overlap", "Let one rule name the topic"]),
    ("04b.pipeline", pipeline_a_rule_for_each, ["overlapping suffixes", "the queues and the function subscribe to"]),
    ("04b.pipeline", pipeline_to_one_queue, ["The bucket sends its events to queue 'thumbnails' itself"]),
]
