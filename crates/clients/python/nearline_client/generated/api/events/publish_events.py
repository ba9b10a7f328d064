from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.event_document import EventDocument
from ...models.events_answer import EventsAnswer
from ...models.problem import Problem
from ...models.publish_problem import PublishProblem
from ...types import Response


def _get_kwargs(
    *,
    body: list[EventDocument],
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v1/events",
    }

    _kwargs["json"] = []
    for body_item_data in body:
        body_item = body_item_data.to_dict()
        _kwargs["json"].append(body_item)

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> EventsAnswer | Problem | PublishProblem | None:
    if response.status_code == 200:
        response_200 = EventsAnswer.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = Problem.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = Problem.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = Problem.from_dict(response.json())

        return response_403

    if response.status_code == 408:
        response_408 = Problem.from_dict(response.json())

        return response_408

    if response.status_code == 413:
        response_413 = Problem.from_dict(response.json())

        return response_413

    if response.status_code == 415:
        response_415 = Problem.from_dict(response.json())

        return response_415

    if response.status_code == 429:
        response_429 = Problem.from_dict(response.json())

        return response_429

    if response.status_code == 503:
        response_503 = PublishProblem.from_dict(response.json())

        return response_503

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[EventsAnswer | Problem | PublishProblem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: list[EventDocument],
) -> Response[EventsAnswer | Problem | PublishProblem]:
    """Publish events

     A JSON array, a single object, or NDJSON, plain or gzip. One invalid event does not stop the others:
    the answer is 200, and `results` says of each event what became of it. `text/plain`, which is what
    `navigator.sendBeacon` sends, is looked into.

    Args:
        body (list[EventDocument]):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[EventsAnswer | Problem | PublishProblem]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: list[EventDocument],
) -> EventsAnswer | Problem | PublishProblem | None:
    """Publish events

     A JSON array, a single object, or NDJSON, plain or gzip. One invalid event does not stop the others:
    the answer is 200, and `results` says of each event what became of it. `text/plain`, which is what
    `navigator.sendBeacon` sends, is looked into.

    Args:
        body (list[EventDocument]):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        EventsAnswer | Problem | PublishProblem
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: list[EventDocument],
) -> Response[EventsAnswer | Problem | PublishProblem]:
    """Publish events

     A JSON array, a single object, or NDJSON, plain or gzip. One invalid event does not stop the others:
    the answer is 200, and `results` says of each event what became of it. `text/plain`, which is what
    `navigator.sendBeacon` sends, is looked into.

    Args:
        body (list[EventDocument]):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[EventsAnswer | Problem | PublishProblem]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: list[EventDocument],
) -> EventsAnswer | Problem | PublishProblem | None:
    """Publish events

     A JSON array, a single object, or NDJSON, plain or gzip. One invalid event does not stop the others:
    the answer is 200, and `results` says of each event what became of it. `text/plain`, which is what
    `navigator.sendBeacon` sends, is looked into.

    Args:
        body (list[EventDocument]):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        EventsAnswer | Problem | PublishProblem
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
