"""Rules of the shop that its OpenAPI documents cannot express.

Valid requests get ids of existing resources; otherwise nearly all responses would be 404.
Requests that are invalid on purpose are sent unchanged.
"""

import os
import re
import uuid
from datetime import datetime, timedelta

import schemathesis

# Created by `run`.
PRODUCTS = [int(product) for product in os.environ["SHOP_PRODUCTS"].split()]
ORDERS = [int(order) for order in os.environ["SHOP_ORDERS"].split()]
PAID_ORDERS = [int(order) for order in os.environ["SHOP_PAID_ORDERS"].split()]
USERS = [int(user) for user in os.environ["SHOP_USERS"].split()]
EVENT = os.environ["SHOP_EVENT"]

OF_PATH = {"products": PRODUCTS, "orders": ORDERS, "users": USERS, "customers": USERS}

# 1.0 is an integer in JSON Schema. The services require 1.
INTEGERS = ("customerId", "productId", "quantity", "stock", "userId")

# Higher ids are extreme on purpose.
ORDINARY = 1_000_000

# Longest wait for an unknown event, in milliseconds.
LONGEST_WAIT = 20


def existing(ids, number):
    """An existing id, selected by any number. An extreme number stays the same."""
    return ids[number % len(ids)] if 0 < number < ORDINARY else number


@schemathesis.hook
def before_call(context, case, kwargs):
    shorten_wait(case)
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    fill_path(case)
    fill_body(case)
    fill_refund(case)
    fill_event(case)
    fill_end(case)
    key = case.headers.get("Idempotency-Key") if case.headers else None
    if key and len(key) >= 32:
        case.headers["Idempotency-Key"] = uuid.uuid4().hex + key[32:]
    elif key:
        # Two commands with the same short key would be the same command, or be refused if
        # their bodies differ.
        case.headers["Idempotency-Key"] = uuid.uuid4().hex


def fill_path(case):
    kind = re.match(r"/api/(?:analytics/)?(\w+)/\{id\}", case.operation.path)
    identifier = str((case.path_parameters or {}).get("id", ""))
    if kind and identifier.isascii() and identifier.isdigit():
        # Changes of the status make the other orders final.
        is_refund = case.operation.path.endswith("/refunds")
        ids = PAID_ORDERS if is_refund else OF_PATH[kind[1]]
        case.path_parameters["id"] = existing(ids, int(identifier))


def fill_body(case):
    body = case.body
    if not isinstance(body, dict):
        return
    for object in [body, *(body.get("items") or [])]:
        for name in INTEGERS:
            if isinstance(object.get(name), float):
                object[name] = int(object[name])
    if isinstance(body.get("userId"), int):
        body["userId"] = existing(USERS, body["userId"])
    for item in body.get("items") or []:
        item["productId"] = existing(PRODUCTS, item["productId"])


def fill_refund(case):
    """A refund has either items or an amount. The document only says that both are optional."""
    body = case.body
    if case.operation.definition.raw.get("operationId") != "refundOrder":
        return
    if not isinstance(body, dict):
        return
    if body.get("items") is None and body.get("amount") is None:
        body["amount"] = 1
    elif body.get("items") is not None:
        body.pop("amount", None)


def shorten_wait(case):
    """Shortens valid waits, also in invalid requests. An invalid wait stays the same."""
    known = {parameter.name for parameter in case.operation.query}
    if case.query and not case.query.keys() <= known:
        # Schemathesis treats unknown parameters as a fault once a hook has changed them.
        return
    for values, after, wait in (
        (case.query, "after", "wait"),
        (case.headers, "X-After-Event", "X-Wait"),
    ):
        if values and after in values:
            given = str(values.get(wait, "10000"))
            if given.isascii() and given.isdigit() and LONGEST_WAIT < int(given) <= 10_000:
                values[wait] = str(LONGEST_WAIT)


def fill_event(case):
    for values, after in ((case.query, "after"), (case.headers, "X-After-Event")):
        event = values.get(after) if values else None
        # The other half keeps its unknown event.
        if event is not None and str(event)[0] in "01234567":
            values[after] = EVENT


def fill_end(case):
    # Most random ends are before the start, or years after it.
    if case.query and {"start", "end"} <= case.query.keys():
        start = str(case.query["start"])
        try:
            end = datetime.fromisoformat(start) + timedelta(days=uuid.uuid4().int % 32)
            case.query["end"] = end.isoformat() + ("" if end.tzinfo else "Z")
        except (OverflowError, ValueError):
            case.query["end"] = start


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether a failure counts: not if a rule outside the document refuses the request."""
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 400:
        return True
    problem = response.json()
    operation = case.operation.definition.raw.get("operationId")
    if operation == "placeOrder":
        too_large = "The order's total is too large to be stored."
        return (
            problem["error"] not in ("Product not found", "Insufficient stock")
            and problem["detail"] != too_large
        )
    wrong = [error["field"] for error in problem.get("errors", [])]
    if operation == "refundOrder":
        # A product that is not in the order.
        unknown = [re.fullmatch(r"items\[\d+\]\.productId", field) for field in wrong]
        return not unknown or not all(unknown)
    # Whether an end is valid depends on the start.
    ends = {"listHourlySales": "end", "listOrders": "createdTo", "listUsers": "createdTo"}
    return wrong != [ends.get(operation)]
