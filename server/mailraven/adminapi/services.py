"""What the routes work with. `Api` is the type of a route's parameter that gets it."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from mailraven.adminapi.mail.memory import OctetBudget
from mailraven.adminapi.stats_cache import StatsCache
from mailraven.audit import AuditLog
from mailraven.config import Config
from mailraven.db import Database
from mailraven.directory import Directory
from mailraven.directory.token_uses import TokenUses
from mailraven.limits import Gate
from mailraven.mailstore import Mailstore
from mailraven.sealing import Sealer
from mailraven.settings import Settings
from mailraven.trace import Recorder

MAIL_OCTETS = 192 << 20


@dataclass(frozen=True, slots=True)
class ApiServices:
    """Made by mailraven.app; lives as long as the process."""

    config: Config
    database: Database
    directory: Directory
    mailstore: Mailstore
    settings: Settings
    audit: AuditLog
    gate: Gate
    sealer: Sealer
    trace: Recorder
    token_uses: TokenUses
    stats: StatsCache = field(default_factory=StatsCache)
    mail_memory: OctetBudget = field(default_factory=lambda: OctetBudget(MAIL_OCTETS))
    """Of messages that the API has in work."""


def services(request: Request) -> ApiServices:
    """Those of the application that serves the request."""
    found: ApiServices = request.app.state.services
    return found


Api = Annotated[ApiServices, Depends(services)]
