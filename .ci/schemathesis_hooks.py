"""What is changed of the requests that schemathesis makes, and why."""

import schemathesis


def whole(value):
    """195.0 as 195: to JSON Schema both are integers, to this API a number with a point is none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(field) for name, field in value.items()}
    if isinstance(value, list):
        return [whole(entry) for entry in value]
    return value


def partition(body):
    """Its number; −1: none."""
    number = body.get("partition")
    return number if type(number) is int else -1


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Takes cursors out: each is a value of an answer before, signed and short-lived."""
    (case.query or {}).pop("cursor", None)
    case.body = whole(case.body)
    # Of the partitions that there may be, those that are not there are refused, as they should be.
    if isinstance(case.body, dict) and 0 <= partition(case.body) <= 65_535:
        case.body["partition"] %= 4
