"""Environment variables of a function: those that Lambda sets, and those that its configuration gives.

Source: Lambda developer guide, "Working with Lambda environment variables" (the reserved ones and the 4 KB); the words
of the refusals as people report them of AWS.
"""

from __future__ import annotations

import json
from typing import Any

from lablib.services.lambda_.functions import RUNTIME, Context, Function, invalid

_RESERVED = {
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}  # fmt: skip
_REFUSED = (
    "Lambda was unable to configure your environment variables because the environment variables you have provided"
)


def check_variables(variables: dict[str, str], quotas: dict[str, Any]) -> None:
    """Raises InvalidParameterValueException for reserved names, and for more than 4 KB as JSON."""
    reserved = [name for name in variables if name in _RESERVED]
    if reserved:
        raise invalid(
            f"{_REFUSED} contains reserved keys that are currently not supported for modification. Reserved keys used "
            f"in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > quotas["lambda.variables_max"]:
        raise invalid(f"{_REFUSED} exceeded the 4KB limit. String measured: {measured}")


def variables_of(function: Function, context: Context, region: str, header: str) -> dict[str, str]:
    """What a run of the function finds in os.environ. `header` is its tracing header. Credentials are none: a client
    that the function makes is the cloud's."""
    return {
        "LANG": "en_US.UTF-8",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PYTHONPATH": "/var/runtime",
        "TZ": ":UTC",
        **function.environment,
        "_HANDLER": function.handler_name,
        "_X_AMZN_TRACE_ID": header,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{RUNTIME}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_VERSION": context.function_version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": context.log_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": context.log_stream_name,
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
    }
