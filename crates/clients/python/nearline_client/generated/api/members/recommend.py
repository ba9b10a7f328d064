from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.problem import Problem
from ...models.recommendations_answer import RecommendationsAnswer
from ...types import UNSET, Response, Unset


def _get_kwargs(
    id: str,
    *,
    limit: int | Unset = UNSET,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    exclude: str | Unset = UNSET,
    explain: bool | Unset = UNSET,
    after: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["limit"] = limit

    params["country"] = country

    params["device"] = device

    params["exclude"] = exclude

    params["explain"] = explain

    params["after"] = after

    params["filter"] = filter_

    params["boost"] = boost

    params["max_maturity"] = max_maturity

    params["cursor"] = cursor

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/members/{id}/recommendations".format(
            id=quote(str(id), safe=""),
        ),
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Problem | RecommendationsAnswer | None:
    if response.status_code == 200:
        response_200 = RecommendationsAnswer.from_dict(response.json())

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

    if response.status_code == 429:
        response_429 = Problem.from_dict(response.json())

        return response_429

    if response.status_code == 503:
        response_503 = Problem.from_dict(response.json())

        return response_503

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[Problem | RecommendationsAnswer]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    id: str,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    exclude: str | Unset = UNSET,
    explain: bool | Unset = UNSET,
    after: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
) -> Response[Problem | RecommendationsAnswer]:
    """What a member is offered next

    Args:
        id (str):
        limit (int | Unset):
        country (str | Unset):
        device (str | Unset):
        exclude (str | Unset):
        explain (bool | Unset):
        after (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):
        cursor (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | RecommendationsAnswer]
    """

    kwargs = _get_kwargs(
        id=id,
        limit=limit,
        country=country,
        device=device,
        exclude=exclude,
        explain=explain,
        after=after,
        filter_=filter_,
        boost=boost,
        max_maturity=max_maturity,
        cursor=cursor,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    id: str,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    exclude: str | Unset = UNSET,
    explain: bool | Unset = UNSET,
    after: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
) -> Problem | RecommendationsAnswer | None:
    """What a member is offered next

    Args:
        id (str):
        limit (int | Unset):
        country (str | Unset):
        device (str | Unset):
        exclude (str | Unset):
        explain (bool | Unset):
        after (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):
        cursor (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | RecommendationsAnswer
    """

    return sync_detailed(
        id=id,
        client=client,
        limit=limit,
        country=country,
        device=device,
        exclude=exclude,
        explain=explain,
        after=after,
        filter_=filter_,
        boost=boost,
        max_maturity=max_maturity,
        cursor=cursor,
    ).parsed


async def asyncio_detailed(
    id: str,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    exclude: str | Unset = UNSET,
    explain: bool | Unset = UNSET,
    after: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
) -> Response[Problem | RecommendationsAnswer]:
    """What a member is offered next

    Args:
        id (str):
        limit (int | Unset):
        country (str | Unset):
        device (str | Unset):
        exclude (str | Unset):
        explain (bool | Unset):
        after (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):
        cursor (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | RecommendationsAnswer]
    """

    kwargs = _get_kwargs(
        id=id,
        limit=limit,
        country=country,
        device=device,
        exclude=exclude,
        explain=explain,
        after=after,
        filter_=filter_,
        boost=boost,
        max_maturity=max_maturity,
        cursor=cursor,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    id: str,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    exclude: str | Unset = UNSET,
    explain: bool | Unset = UNSET,
    after: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
) -> Problem | RecommendationsAnswer | None:
    """What a member is offered next

    Args:
        id (str):
        limit (int | Unset):
        country (str | Unset):
        device (str | Unset):
        exclude (str | Unset):
        explain (bool | Unset):
        after (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):
        cursor (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | RecommendationsAnswer
    """

    return (
        await asyncio_detailed(
            id=id,
            client=client,
            limit=limit,
            country=country,
            device=device,
            exclude=exclude,
            explain=explain,
            after=after,
            filter_=filter_,
            boost=boost,
            max_maturity=max_maturity,
            cursor=cursor,
        )
    ).parsed
