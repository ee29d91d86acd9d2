"""/api/v1/tokens: bearer tokens. Super-admins see and make all, everybody else those that act as himself."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from mailraven.adminapi import token_actions
from mailraven.adminapi.access import Principal, Who, allow
from mailraven.adminapi.locations import set_location
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.problems import problems
from mailraven.adminapi.services import Api
from mailraven.directory.tokens import Token as Known
from mailraven.directory.tokens import list_tokens
from mailraven_api.token import Token, TokenCreate, TokenSecret

router = APIRouter(prefix="/api/v1/tokens", tags=["tokens"])

Reader = Annotated[Principal, Depends(allow("tokens:read", Who.ANYONE))]
Writer = Annotated[Principal, Depends(allow("tokens:write", Who.ANYONE))]
Name = Annotated[str, Path(max_length=100)]


@router.get("", summary="List tokens")
async def get_tokens(api: Api, principal: Reader, paging: Paging) -> Page[Token]:
    """By name, without their secrets, which nobody can read again."""
    after = paging.after
    async with api.database.acquire() as connection:
        found = await list_tokens(
            connection, after=after, limit=paging.fetch, account_id=token_actions.limited_to(principal)
        )
    return paging.page(found, lambda token: token.name, lambda token: Token.model_validate(_shown(token)))


@router.post("", status_code=201, summary="Make a token", responses=problems(404, 409))
async def create_token(api: Api, principal: Writer, body: TokenCreate, response: Response) -> TokenSecret:
    """The answer has the secret, this once. A token may never do more than who makes it, nor outlive the token that
    makes it. 404: no such account or domain. 409: the name is taken.
    """
    made, secret = await token_actions.create_token(api, principal, body)
    set_location(response, "/api/v1/tokens", made.name)
    return TokenSecret.model_validate({**_shown(made), "token": secret})


@router.post("/{name:path}/rotate", summary="Replace a token's secret", responses=problems(404))
async def rotate_token(api: Api, principal: Writer, name: Name) -> TokenSecret:
    """The old secret is refused from now on. It lives as long as before, counted from now."""
    made, secret = await token_actions.rotate_token(api, principal, name)
    return TokenSecret.model_validate({**_shown(made), "token": secret})


@router.get("/{name:path}", summary="Show a token", responses=problems(404))
async def get_token(api: Api, principal: Reader, name: Name) -> Token:
    """Without its secret."""
    async with api.database.acquire() as connection:
        return Token.model_validate(_shown(await token_actions.own_token(connection, principal, name)))


@router.delete("/{name:path}", status_code=204, summary="Delete a token", responses=problems(404))
async def delete_token(api: Api, principal: Writer, name: Name) -> None:
    """It is refused from now on."""
    await token_actions.delete_token(api, principal, name)


def _shown(token: Known) -> dict[str, object]:
    values = asdict(token)
    del values["domain_ids"]
    return values
