from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.problem import Problem
from ...models.trending_answer import TrendingAnswer
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    limit: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["country"] = country

    params["device"] = device

    params["limit"] = limit

    params["filter"] = filter_

    params["boost"] = boost

    params["max_maturity"] = max_maturity

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/trending",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Problem | TrendingAnswer | None:
    if response.status_code == 200:
        response_200 = TrendingAnswer.from_dict(response.json())

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

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[Problem | TrendingAnswer]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    limit: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
) -> Response[Problem | TrendingAnswer]:
    """What is taken and played most right now

    Args:
        country (str | Unset):
        device (str | Unset):
        limit (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | TrendingAnswer]
    """

    kwargs = _get_kwargs(
        country=country,
        device=device,
        limit=limit,
        filter_=filter_,
        boost=boost,
        max_maturity=max_maturity,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    limit: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
) -> Problem | TrendingAnswer | None:
    """What is taken and played most right now

    Args:
        country (str | Unset):
        device (str | Unset):
        limit (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | TrendingAnswer
    """

    return sync_detailed(
        client=client,
        country=country,
        device=device,
        limit=limit,
        filter_=filter_,
        boost=boost,
        max_maturity=max_maturity,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    limit: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
) -> Response[Problem | TrendingAnswer]:
    """What is taken and played most right now

    Args:
        country (str | Unset):
        device (str | Unset):
        limit (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | TrendingAnswer]
    """

    kwargs = _get_kwargs(
        country=country,
        device=device,
        limit=limit,
        filter_=filter_,
        boost=boost,
        max_maturity=max_maturity,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    limit: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
) -> Problem | TrendingAnswer | None:
    """What is taken and played most right now

    Args:
        country (str | Unset):
        device (str | Unset):
        limit (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | TrendingAnswer
    """

    return (
        await asyncio_detailed(
            client=client,
            country=country,
            device=device,
            limit=limit,
            filter_=filter_,
            boost=boost,
            max_maturity=max_maturity,
        )
    ).parsed
