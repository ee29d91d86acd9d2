"""Makes the application of the admin API from its routes (mailraven.adminapi.routes)."""

from fastapi import FastAPI

from mailraven import __version__
from mailraven.adminapi import openapi
from mailraven.adminapi.guard import Guard
from mailraven.adminapi.problems import add_problems
from mailraven.adminapi.routes import ROUTERS
from mailraven.adminapi.services import ApiServices


def make_api(services: ApiServices) -> FastAPI:
    """The application."""
    api = make_routes()
    api.state.services = services
    api.add_middleware(Guard, services=services)
    return api


def make_routes() -> FastAPI:
    """Without what it works with: for its description."""
    api = FastAPI(
        title="MailRaven",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        redirect_slashes=False,
    )
    for router in ROUTERS:
        api.router.routes.extend(router.routes)
    add_problems(api)
    for route in openapi.api_routes(api):
        route.operation_id = route.operation_id or route.name  # clients are generated from it
    openapi.install(api)
    openapi.access_of(api)  # a route that does not say who may call it is served to nobody
    return api
