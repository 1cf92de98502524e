"""What AWS was recorded to do with telephones and apps. See `recordings.py`."""

from typing import Any

from knowledge.recorded_sns import SNS, TOPIC, fresh_subscription, invalid
from knowledge.recordings import ACCOUNT, REGION, Lab, is_refused

PHONE = "+447752710516"
PRINCIPAL, CREDENTIAL = "PlatformPrincipal", "PlatformCredential"
SECRETS = {PRINCIPAL: "who", CREDENTIAL: "secret"}
ADM = f"arn:aws:sns:{REGION}:{ACCOUNT}:app/ADM/"
NO_APP, NO_DEVICE = "PlatformApplication does not exist", "Endpoint does not exist"
NULL = (
    "ValidationError",
    "1 validation error detected: Value null at 'attributes' failed to satisfy constraint: Member must not be null",
)
NO_ARN = invalid("PlatformApplicationArn Reason: An ARN must have at least 6 elements, not 1")[:2]


# ---- telephones ------------------------------------------------------------------------------------------------------


@SNS.same("subscribe_sms", "subscribe_sms_endpoint", "subscribe_sms_obscure_phone_number")
def _(lab: Lab) -> None:
    lab.topic()
    for number in ("+123123123", "+1234567890", "+12/34-567.890"):
        arn = lab.sns.subscribe(TopicArn=TOPIC, Protocol="sms", Endpoint=number)["SubscriptionArn"]
        assert arn.startswith(TOPIC + ":")
        if number == "+123123123":
            assert lab.subscription(arn) == fresh_subscription(arn, number, Protocol="sms")


@SNS.same("publish_wrong_phone_format", "subscribe_invalid_sms")
def _(lab: Lab) -> None:
    lab.topic()
    for number in ("+1a234", "NAA+15551234567"):
        text = f"PhoneNumber Reason: {number} is not valid to publish to"
        is_refused(*invalid(text)[:2], lab.sns.publish, Message="x", PhoneNumber=number)
    for number in ("NAA+15551234567", "invalid-number", "+15--551234567", "+15551234567.", "/+15551234567"):
        text = f"Invalid SMS endpoint: {number}"
        given = {"TopicArn": TOPIC, "Protocol": "sms", "Endpoint": number}
        is_refused("InvalidParameter", text, lab.sns.subscribe, **given)


@SNS.same("check_not_opted_out", "is_phone_number_opted_out", "list_phone_numbers_opted_out", "opt_in_phone_number")
def _(lab: Lab) -> None:
    asked = {"phoneNumber": PHONE}
    assert lab.sns.check_if_phone_number_is_opted_out(**asked)["isOptedOut"] is False
    lab.cloud.service("sns").phones.opt_out(PHONE)
    assert lab.sns.check_if_phone_number_is_opted_out(**asked)["isOptedOut"] is True
    assert lab.sns.list_phone_numbers_opted_out()["phoneNumbers"] == [PHONE]
    assert set(lab.sns.opt_in_phone_number(**asked)) == {"ResponseMetadata"}


@SNS.same("check_opted_out_invalid")
def _(lab: Lab) -> None:
    text = "PhoneNumber Reason: input incorrectly formatted"
    is_refused(*invalid(text)[:2], lab.sns.check_if_phone_number_is_opted_out, phoneNumber="invalid-number")


@SNS.same("opt_in_non_existing_phone_number")
def _(lab: Lab) -> None:
    assert set(lab.sns.opt_in_phone_number(phoneNumber="+4411111111")) == {"ResponseMetadata"}


@SNS.same("set_get_sms_attributes", "get_sms_attributes_from_unmodified_region")
def _(lab: Lab) -> None:
    elsewhere = lab.cloud.client("sns", region_name="eu-west-1")
    given = {
        "DeliveryStatusSuccessSamplingRate": "100",
        "DefaultSenderID": "LSTest",
        "DefaultSMSType": "Promotional",
    }
    lab.sns.set_sms_attributes(attributes=given)
    assert lab.sns.get_sms_attributes()["attributes"] == {**given, "MonthlySpendLimit": "1"}
    asked = ["DefaultSenderID", "DefaultSMSType"]
    assert lab.sns.get_sms_attributes(attributes=asked)["attributes"] == {name: given[name] for name in asked}
    assert elsewhere.get_sms_attributes()["attributes"] == {"MonthlySpendLimit": "1"}


@SNS.same("set_invalid_sms_attributes")
def _(lab: Lab) -> None:
    for name, value, text in (
        ("InvalidAttribute", "invalid", "InvalidAttribute is not a valid attribute"),
        ("DefaultSendID", "a" * 12, "DefaultSendID is not a valid attribute"),
        ("DefaultSendID", "123456789", "DefaultSendID is not a valid attribute"),
        ("DefaultSMSType", "invalid", "DefaultSMSType is invalid"),
    ):
        is_refused("InvalidParameter", text, lab.sns.set_sms_attributes, attributes={name: value})


# ---- apps ------------------------------------------------------------------------------------------------------------


def _app(lab: Lab) -> dict[str, Any]:
    """The parameter that names a new app."""
    made = lab.sns.create_platform_application(Name="app", Platform="ADM", Attributes=SECRETS)
    return {"PlatformApplicationArn": made["PlatformApplicationArn"]}


@SNS.same("create_platform_application", "list_platform_applications", "get_platform_application_attributes")
def _(lab: Lab) -> None:
    app = _app(lab)
    assert app["PlatformApplicationArn"] == ADM + "app"
    shown = {"Enabled": "true"}
    assert lab.sns.list_platform_applications()["PlatformApplications"] == [{**app, "Attributes": shown}]
    assert lab.sns.get_platform_application_attributes(**app)["Attributes"] == shown


@SNS.same("set_platform_application_attributes")
def _(lab: Lab) -> None:
    app, rate = _app(lab), {"SuccessFeedbackSampleRate": "50"}
    lab.sns.set_platform_application_attributes(**app, Attributes=rate)
    assert lab.sns.get_platform_application_attributes(**app)["Attributes"] == {"Enabled": "true", **rate}


@SNS.same("create_platform_application_invalid_attributes", "create_platform_application_invalid_platform")
def _(lab: Lab) -> None:
    create, given = lab.sns.create_platform_application, {"Name": "app", "Platform": "ADM"}
    for one, other in ((PRINCIPAL, CREDENTIAL), (CREDENTIAL, PRINCIPAL)):
        text = f"Attributes Reason: {one} attribute provided without {other}"
        is_refused(*invalid(text)[:2], create, **given, Attributes={one: "x"})
    is_refused(*NULL, create, **given, Attributes={})
    is_refused(
        *invalid("Platform Reason: AAA is not supported")[:2], create, Name="app", Platform="AAA", Attributes=SECRETS
    )


@SNS.same("create_platform_application_invalid_name")
def _(lab: Lab) -> None:
    for name, why in (
        ("a" * 257, "must be at most 256 characters long"),
        ("", "cannot be empty"),
        ("@name", "must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'"),
    ):
        given = {"Name": name, "Platform": "ADM", "Attributes": SECRETS}
        is_refused(*invalid(f"{name} Reason: {why}")[:2], lab.sns.create_platform_application, **given)


@SNS.same(
    "get_platform_application_attributes_invalid_arn",
    "get_platform_application_attributes_non_existing_app",
    "set_platform_application_attributes_invalid_arn",
    "set_platform_application_attributes_non_existing_app",
    "create_platform_endpoint_non_existent_app",
)
def _(lab: Lab) -> None:
    unknown, none = {"PlatformApplicationArn": ADM + "none"}, {"PlatformApplicationArn": "invalid-arn"}
    get, set = lab.sns.get_platform_application_attributes, lab.sns.set_platform_application_attributes
    is_refused(*NO_ARN, get, **none)
    is_refused("NotFound", NO_APP, get, 404, **unknown)
    is_refused(*NO_ARN, set, **none, Attributes={})
    is_refused(*NULL, set, **unknown, Attributes={})
    is_refused("NotFound", NO_APP, set, 404, **unknown, Attributes={PRINCIPAL: "x"})
    is_refused("NotFound", NO_APP, lab.sns.create_platform_endpoint, 404, **unknown, Token="token_1")


# ---- devices ---------------------------------------------------------------------------------------------------------


def _device(lab: Lab, app: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The parameter that names a device."""
    made = lab.sns.create_platform_endpoint(**app, Token="token_1", **more)
    return {"EndpointArn": made["EndpointArn"]}


@SNS.same("create_platform_endpoint", "create_platform_endpoint_idempotency")
def _(lab: Lab) -> None:
    app = _app(lab)
    device = _device(lab, app)
    arn = device["EndpointArn"]
    assert arn.startswith(ADM.replace(":app/", ":endpoint/") + "app/")
    assert _device(lab, app) == device
    text = f"Token Reason: Endpoint {arn} already exists with the same Token, but different attributes."
    other = {"Token": "token_1", "Attributes": {"Enabled": "false"}}
    is_refused(*invalid(text)[:2], lab.sns.create_platform_endpoint, **app, **other)


@SNS.same("list_platform_endpoints", "delete_platform_endpoint", "get_platform_endpoint_attributes")
def _(lab: Lab) -> None:
    app, shown = _app(lab), {"Enabled": "true", "Token": "token_1"}
    device = _device(lab, app)
    assert lab.sns.get_endpoint_attributes(**device)["Attributes"] == shown
    for there in ([{**device, "Attributes": shown}], []):
        assert lab.sns.list_endpoints_by_platform_application(**app)["Endpoints"] == there
        lab.sns.delete_endpoint(**device)


@SNS.same("delete_platform_endpoint_with_subscription")
def _(lab: Lab) -> None:
    arn = _device(lab, _app(lab))["EndpointArn"]
    lab.topic()
    lab.sns.subscribe(TopicArn=TOPIC, Protocol="application", Endpoint=arn)
    before = lab.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
    lab.sns.delete_endpoint(EndpointArn=arn)
    assert [each["Endpoint"] for each in before] == [arn]
    assert lab.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"] == before


@SNS.same("delete_endpoints_of_deleted_app")
def _(lab: Lab) -> None:
    app = _app(lab)
    device = _device(lab, app)
    lab.sns.delete_platform_application(**app)
    is_refused("NotFound", NO_APP, lab.sns.list_endpoints_by_platform_application, 404, **app)
    lab.sns.delete_endpoint(**device)


@SNS.same("set_platform_endpoint_attributes")
def _(lab: Lab) -> None:
    device = _device(lab, _app(lab))
    lab.sns.set_endpoint_attributes(**device, Attributes={"Enabled": "false"})
    assert lab.sns.get_endpoint_attributes(**device)["Attributes"] == {"Enabled": "false", "Token": "token_1"}


@SNS.same(
    "get_platform_endpoint_attributes_non_existent_endpoint", "set_platform_endpoint_attributes_non_existent_endpoint"
)
def _(lab: Lab) -> None:
    unknown = f"arn:aws:sns:{REGION}:{ACCOUNT}:endpoint/ADM/fakeapp/10f57157-fc38-4da9-a113-4de7e12d05dd"
    is_refused("NotFound", NO_DEVICE, lab.sns.get_endpoint_attributes, 404, EndpointArn=unknown)
    given = {"EndpointArn": unknown, "Attributes": {"Enabled": "false"}}
    is_refused("NotFound", NO_DEVICE, lab.sns.set_endpoint_attributes, 404, **given)


@SNS.same("set_platform_endpoint_attributes_invalid_attributes", "create_platform_endpoint_with_invalid_attributes")
def _(lab: Lab) -> None:
    app = _app(lab)
    device = _device(lab, app)
    is_refused(*NULL, lab.sns.set_endpoint_attributes, **device, Attributes={})
    unknown, long = (
        "Invalid attribute name: ",
        "Invalid value for attribute: CustomUserData: must be at most 2048 bytes",
    )
    for name, why in (
        (PRINCIPAL, unknown + PRINCIPAL),
        (CREDENTIAL, unknown + CREDENTIAL),
        ("InvalidKey", unknown + "InvalidKey"),
        ("CustomUserData", f"{long} long in UTF-8 encoding"),
    ):
        given = {"Attributes": {name: "A" * 2050}}
        text = invalid(f"Attributes Reason: {why}")[:2]
        is_refused(*text, lab.sns.set_endpoint_attributes, **device, **given)
        is_refused(*text, lab.sns.create_platform_endpoint, **app, Token="token_2", **given)


@SNS.same("create_platform_endpoint_custom_data", "create_platform_endpoint_double_custom_data")
def _(lab: Lab) -> None:
    """What stands in the attributes wins."""
    app = _app(lab)
    for more, kept in (({}, "bar"), ({"Attributes": {"CustomUserData": "foo"}}, "foo")):
        device = _device(lab, app, CustomUserData="bar", **more)
        assert lab.sns.get_endpoint_attributes(**device)["Attributes"]["CustomUserData"] == kept
        lab.sns.delete_endpoint(**device)
