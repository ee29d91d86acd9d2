"""GET /api/v1/version."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from mailraven import __version__
from mailraven.adminapi.access import Principal, Who, allow

router = APIRouter(prefix="/api/v1", tags=["server"])


class Version(BaseModel):
    """What runs."""

    version: str = Field(description="The version of the program.")


@router.get("/version", operation_id="get_version")
async def version(_: Annotated[Principal, Depends(allow("", Who.ANYONE))]) -> Version:
    """The version of the server."""
    return Version(version=__version__)
