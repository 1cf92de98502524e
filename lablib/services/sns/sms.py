"""Text messages: the operations on settings, and on numbers that want none.

Source: SNS API reference (SetSMSAttributes, CheckIfPhoneNumberIsOptedOut, OptInPhoneNumber). Texts of errors: ours.
"""

from __future__ import annotations

import re

from lablib.aws.service import Request
from lablib.services.sns.base import SnsBase
from lablib.services.sns.checks import Document, check_phone, invalid

_CHECKS = {
    "MonthlySpendLimit": r"[0-9]{1,9}",
    "DeliveryStatusIAMRole": r"arn:aws:iam::[0-9]{12}:role/.+",
    "DeliveryStatusSuccessSamplingRate": r"100|[0-9]{1,2}",
    "DefaultSenderID": r"(?=.*[A-Za-z])[A-Za-z0-9]{1,11}",
    "DefaultSMSType": r"Promotional|Transactional",
    "UsageReportS3Bucket": r"[a-z0-9.-]{3,63}",
}


class Texting(SnsBase):
    """The operations on phone numbers. A number opts out with `service.phones.opt_out(number)`."""

    def check_if_phone_number_is_opted_out(self, request: Request, *, phone_number: str) -> Document:
        check_phone(phone_number)
        return {"isOptedOut": phone_number in self.phones.opted_out}

    def list_phone_numbers_opted_out(self, request: Request, *, next_token: str | None = None) -> Document:
        page, more = self._page(self.phones.opted_out, next_token)
        return {"phoneNumbers": page} | ({"nextToken": more["NextToken"]} if more else {})

    def opt_in_phone_number(self, request: Request, *, phone_number: str) -> Document:
        check_phone(phone_number)
        self.phones.opted_out.pop(phone_number, None)
        return {}

    def set_sms_attributes(self, request: Request, *, attributes: dict[str, str]) -> Document:
        for name, value in attributes.items():
            if name not in _CHECKS:
                raise invalid(f"Attributes Reason: {name} is not a valid attribute name")
            if not re.fullmatch(_CHECKS[name], value):
                raise invalid(f"{name} Reason: {value} is not a valid value")
        self.phones.settings.update(attributes)
        return {}

    def get_sms_attributes(self, request: Request, *, attributes: list[str] | None = None) -> Document:
        known = self.phones.settings
        return {"attributes": {n: v for n, v in known.items() if not attributes or n in attributes}}
