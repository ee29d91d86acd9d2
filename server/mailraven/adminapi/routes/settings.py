"""/api/v1/settings: what changes while the server runs, in groups; each with who changed it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Depends, Response
from pydantic import ValidationError

from mailraven.adminapi.access import Principal, Who, allow, change
from mailraven.adminapi.etag import IfMatch, set_etag
from mailraven.adminapi.problems import ApiProblem, problems, validation_problem
from mailraven.adminapi.services import Api, ApiServices
from mailraven.net.addresses import Networks
from mailraven.settings import SettingGroup, read, write
from mailraven_api.model import Model
from mailraven_api.settings import GROUPS, AdminSettings, AllSettings, Group, StoredSettings

router = APIRouter(prefix="/api/v1/settings", tags=["settings"])

T = TypeVar("T", bound=Model)
Reader = Annotated[Principal, Depends(allow("settings:read", Who.SUPER))]
Writer = Annotated[Principal, Depends(allow("settings:write", Who.SUPER))]


@router.get("", summary="Show all settings")
async def get_all_settings(api: Api, _: Reader) -> AllSettings:
    """Those that change without a restart; docs/configuration.md has the others."""
    async with api.database.acquire() as connection:
        found = {name: _shown(await read(connection, cast(Group, name))) for name in GROUPS}
    return AllSettings.model_validate(found)


async def _put(
    api: ApiServices, principal: Principal, group: Group, expected: int | None, make: Callable[[Model], Model]
) -> SettingGroup:
    """`make` gives the new value from the old one."""
    async with change(api, principal) as tx:
        before = await read(tx.connection, group)
        if expected is not None and expected != before.version:
            raise ApiProblem(412, f"The settings {group} were changed since you read them.")
        value = make(before.value)
        _check_own_network(value, principal)
        # Also without If-Match nobody else's change is lost between the reading above and this.
        written = await write(tx.connection, group, value, changed_by=principal.actor, expected=before.version)
        await tx.audit(
            "settings.update",
            group,
            before=before.value.model_dump(mode="json"),
            after=value.model_dump(mode="json"),
        )
    return written


def _check_own_network(value: Model, principal: Principal) -> None:
    networks = value.allowed_networks if isinstance(value, AdminSettings) else ()
    if networks and principal.ip not in Networks(networks):
        text = f"would lock you out: your address {principal.ip} is in none of them"
        raise ApiProblem(422, f"allowed_networks {text}.", errors=[("/allowed_networks", text)])


def _merged(model: type[T], patch: dict[str, Any]) -> Callable[[Model], Model]:
    def make(before: Model) -> Model:
        try:
            return model.model_validate({**before.model_dump(mode="json", exclude_unset=True), **patch})
        except ValidationError as error:
            raise validation_problem(error) from None

    return make


def _shown(group: SettingGroup) -> dict[str, Any]:
    return {
        "value": group.value.model_dump(),
        "version": group.version,
        "changed_by": group.changed_by,
        "changed_at": group.changed_at,
    }


def _add_group(group: Group, model: type[T]) -> None:
    """The three routes of a group, typed with its model."""
    stored = StoredSettings[model]  # type: ignore[valid-type]

    async def get_one(api: Api, _: Reader, response: Response) -> Any:
        """What holds, and who changed it."""
        async with api.database.acquire() as connection:
            found = await read(connection, group)
        set_etag(response, found.version)
        return _shown(found)

    async def put_one(api: Api, principal: Writer, body: T, expected: IfMatch, response: Response) -> Any:
        """What is left out has its default again. 412: somebody changed it since you read it."""
        written = await _put(api, principal, group, expected, lambda _: body)
        set_etag(response, written.version)
        return _shown(written)

    async def patch_one(
        api: Api, principal: Writer, body: dict[str, Any], expected: IfMatch, response: Response
    ) -> Any:
        """What is left out stays as it is. 412: somebody changed it since you read it."""
        written = await _put(api, principal, group, expected, _merged(model, body))
        set_etag(response, written.version)
        return _shown(written)

    put_one.__annotations__["body"] = model
    routes: tuple[tuple[str, Callable[..., Awaitable[Any]], str, tuple[int, ...]], ...] = (
        ("GET", get_one, "Show", ()),
        ("PUT", put_one, "Replace", (412,)),
        ("PATCH", patch_one, "Change some of", (412,)),
    )
    for method, function, verb, statuses in routes:
        router.add_api_route(
            f"/{group}",
            function,
            methods=[method],
            response_model=stored,
            operation_id=f"{method.lower()}_{group}_settings",
            summary=f"{verb} the settings {group}",
            responses=problems(*statuses),
        )


for _name, _model in GROUPS.items():
    _add_group(cast(Group, _name), _model)
