from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.order_answer import OrderAnswer
from ...models.order_request import OrderRequest
from ...models.problem import Problem
from ...types import UNSET, Response, Unset


def _get_kwargs(
    id: str,
    *,
    body: OrderRequest,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    after: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    params: dict[str, Any] = {}

    params["country"] = country

    params["device"] = device

    params["after"] = after

    params["filter"] = filter_

    params["boost"] = boost

    params["max_maturity"] = max_maturity

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v1/members/{id}/order".format(
            id=quote(str(id), safe=""),
        ),
        "params": params,
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> OrderAnswer | Problem | None:
    if response.status_code == 200:
        response_200 = OrderAnswer.from_dict(response.json())

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
        response_503 = Problem.from_dict(response.json())

        return response_503

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[OrderAnswer | Problem]:
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
    body: OrderRequest,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    after: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
) -> Response[OrderAnswer | Problem]:
    """Titles that the caller has, in a member's order

    Args:
        id (str):
        country (str | Unset):
        device (str | Unset):
        after (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):
        body (OrderRequest): Titles to put in order.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OrderAnswer | Problem]
    """

    kwargs = _get_kwargs(
        id=id,
        body=body,
        country=country,
        device=device,
        after=after,
        filter_=filter_,
        boost=boost,
        max_maturity=max_maturity,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    id: str,
    *,
    client: AuthenticatedClient,
    body: OrderRequest,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    after: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
) -> OrderAnswer | Problem | None:
    """Titles that the caller has, in a member's order

    Args:
        id (str):
        country (str | Unset):
        device (str | Unset):
        after (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):
        body (OrderRequest): Titles to put in order.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OrderAnswer | Problem
    """

    return sync_detailed(
        id=id,
        client=client,
        body=body,
        country=country,
        device=device,
        after=after,
        filter_=filter_,
        boost=boost,
        max_maturity=max_maturity,
    ).parsed


async def asyncio_detailed(
    id: str,
    *,
    client: AuthenticatedClient,
    body: OrderRequest,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    after: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
) -> Response[OrderAnswer | Problem]:
    """Titles that the caller has, in a member's order

    Args:
        id (str):
        country (str | Unset):
        device (str | Unset):
        after (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):
        body (OrderRequest): Titles to put in order.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OrderAnswer | Problem]
    """

    kwargs = _get_kwargs(
        id=id,
        body=body,
        country=country,
        device=device,
        after=after,
        filter_=filter_,
        boost=boost,
        max_maturity=max_maturity,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    id: str,
    *,
    client: AuthenticatedClient,
    body: OrderRequest,
    country: str | Unset = UNSET,
    device: str | Unset = UNSET,
    after: int | Unset = UNSET,
    filter_: str | Unset = UNSET,
    boost: str | Unset = UNSET,
    max_maturity: int | Unset = UNSET,
) -> OrderAnswer | Problem | None:
    """Titles that the caller has, in a member's order

    Args:
        id (str):
        country (str | Unset):
        device (str | Unset):
        after (int | Unset):
        filter_ (str | Unset):
        boost (str | Unset):
        max_maturity (int | Unset):
        body (OrderRequest): Titles to put in order.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OrderAnswer | Problem
    """

    return (
        await asyncio_detailed(
            id=id,
            client=client,
            body=body,
            country=country,
            device=device,
            after=after,
            filter_=filter_,
            boost=boost,
            max_maturity=max_maturity,
        )
    ).parsed
