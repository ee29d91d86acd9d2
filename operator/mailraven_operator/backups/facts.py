"""What is asked of the cluster before a Job is made."""

from mailraven_api.kubernetes import Resource
from mailraven_operator.backups.target import SecretUse
from mailraven_operator.context import Context
from mailraven_operator.kube import SECRETS
from mailraven_operator.outcome import Problem


def check_namespace(context: Context, resource: Resource) -> None:
    """Jobs hold the keys of the database and the blobs: they run where the server does. Raises Problem."""
    home = context.settings.namespace
    if resource.metadata.namespace != home:
        text = f"a {resource.kind} works in the namespace of the operator only, which is {home}"
        raise Problem("NamespaceNotAllowed", text, retry=False)


async def check_secrets(context: Context, namespace: str, used: tuple[SecretUse, ...]) -> None:
    """A pod whose Secret is missing would wait for ever. Raises Problem."""
    for use in used:
        secret = await context.kube.get(SECRETS, namespace, use.name)
        if secret is None:
            raise Problem("SecretNotFound", f"{use.field}: there is no Secret {use.name} in this namespace")
        for key in use.keys:
            if not (secret.get("data") or {}).get(key):
                raise Problem("SecretNotFound", f"{use.field}: the Secret {use.name} has no key {key}")
