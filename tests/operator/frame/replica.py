"""A replica as a process of its own, with one kind that marks what it looked at. Run by test_replicas.py."""

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

from mailraven_api.kubernetes import MailUser
from mailraven_operator import logs
from mailraven_operator.context import Context
from mailraven_operator.operator import Operator
from mailraven_operator.outcome import Outcome
from mailraven_operator.settings import Settings
from mailraven_operator.world import Key, World


class Marking:
    """The status says which replica looked."""

    plural: ClassVar[str] = "mailusers"
    model: ClassVar[type[Any]] = MailUser
    finalizes: ClassVar[bool] = False

    async def reconcile(self, context: Context, resource: Any) -> Outcome:
        return Outcome(status={"secretName": context.settings.identity})

    async def finalize(self, context: Context, resource: Any) -> None:
        return None

    def touched_by(self, world: World, resource_kind: str, key: Key) -> Iterable[Key]:
        return ()


async def main() -> None:
    settings = Settings()
    logs.configure(settings.log_level)
    await Operator(settings, [Marking()]).run()


asyncio.run(main())
