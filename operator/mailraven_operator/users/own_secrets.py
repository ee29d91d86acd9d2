"""The Secrets that users have made for them: read, made, written anew. Only those of the user's own namespace, and of
those that are there already only the ones that were made for him.
"""

from dataclasses import dataclass
from typing import Any

from mailraven_api.kubernetes import MailUser
from mailraven_operator.context import Context
from mailraven_operator.kube import SECRETS, KubeError, version_of
from mailraven_operator.outcome import Problem
from mailraven_operator.users.secret_contents import (
    MANAGED_BY,
    SecretState,
    encoded,
    is_made_for,
    read_secret,
    secret_document,
)
from mailraven_operator.world import Key

_MANAGED = ",".join(f"{name}={value}" for name, value in MANAGED_BY.items())


@dataclass(frozen=True)
class Remembered:
    """What was in a Secret of this version; the password is not kept."""

    version: str
    owner: str
    """uid of the MailUser."""
    print: str
    """secret_contents.print_of()."""
    app_password_id: int | None


class OwnSecrets:
    """Remembers what it wrote or read, so that a resync reads no Secret that nobody touched."""

    def __init__(self) -> None:
        self._remembered: dict[Key, Remembered] = {}

    def untouched(self, context: Context, user: MailUser, name: str, fingerprint: str) -> Remembered | None:
        """What is known of a Secret that is as it has to be; None: it has to be read."""
        namespace = user.metadata.namespace
        known = self._remembered.get((namespace, name))
        version = context.world.secret_version(namespace, name)
        if known is None or known.version != version or known.owner != user.metadata.uid:
            return None
        return known if known.print == fingerprint else None

    async def read(self, context: Context, user: MailUser, name: str) -> SecretState | None:
        """None: there is none. Raises Problem when it is somebody else's."""
        document = await context.kube.get(SECRETS, user.metadata.namespace, name)
        if document is None:
            return None
        state = read_secret(document, user.metadata.uid, version_of(document))
        if not state.owned:
            raise Problem("Conflict", f"the Secret {name} is there already and was not made for this MailUser")
        return state

    async def keep(
        self,
        context: Context,
        user: MailUser,
        name: str,
        before: SecretState | None,
        plain: dict[str, str],
        fingerprint: str,
        app_password_id: int | None = None,
    ) -> str:
        """Makes it so, if it is not; its version. Raises Problem when somebody else was faster."""
        document = secret_document(user, name, plain, app_password_id)
        if before is None:
            written = await self._write(context.kube.create(document, SECRETS), name)
        elif before.data != encoded(plain) or before.app_password_id != app_password_id:
            uid, _, version = before.version.partition("/")
            document["metadata"] |= {"uid": uid, "resourceVersion": version}
            written = await self._write(context.kube.replace(document, SECRETS), name)
        else:
            written = before.version
        remembered = Remembered(written, user.metadata.uid, fingerprint, app_password_id)
        self._remembered[user.metadata.namespace, name] = remembered
        return written

    async def remove_others(self, context: Context, user: MailUser, wanted: set[str]) -> None:
        """Secrets that were made for the user and that spec does not name any more."""
        namespace, uid = user.metadata.namespace, user.metadata.uid
        for document in await context.kube.list(SECRETS, namespace, _MANAGED, metadata_only=True):
            metadata = document["metadata"]
            if is_made_for(metadata, uid) and metadata["name"] not in wanted:
                await context.kube.delete(SECRETS, namespace, metadata["name"], uid=metadata["uid"])
                self._remembered.pop((namespace, metadata["name"]), None)

    def forget(self, user: MailUser) -> None:
        """The user goes, and his Secrets with him."""
        uid = user.metadata.uid
        for key in [key for key, known in self._remembered.items() if known.owner == uid]:
            del self._remembered[key]

    async def _write(self, request: Any, name: str) -> str:
        try:
            return version_of(await request)
        except KubeError as error:
            if error.status == 409:
                raise Problem("Conflict", f"the Secret {name} was changed by somebody else at this moment") from None
            raise
