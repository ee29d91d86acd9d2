"""Our kinds as the paths of the API name them, and the objects of others that are watched beside them."""

from dataclasses import dataclass

from mailraven_api.kubernetes import GROUP, VERSION
from mailraven_operator.kube import CERTIFICATES, CRONJOBS, JOBS, NAMESPACES, SECRETS, Resource

MANAGED_BY = "app.kubernetes.io/managed-by=mailraven-operator"
# Helm keeps its releases in Secrets of up to a MiB each; nothing of ours is of these types.
_SECRET_TYPES = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token"  # noqa: S105 - a selector


@dataclass(frozen=True)
class Watched:
    """Objects of others: only their versions are kept, and the labels of Namespaces."""

    resource: Resource
    labels: str = ""
    fields: str = ""
    optional: bool = False
    """The cluster may not have this kind."""
    at_home: bool = False
    """Only those of the operator's own namespace."""


SECONDARY = (
    Watched(NAMESPACES),
    Watched(SECRETS, fields=_SECRET_TYPES),
    Watched(JOBS, labels=MANAGED_BY, at_home=True),
    Watched(CRONJOBS, labels=MANAGED_BY, at_home=True),
    Watched(CERTIFICATES, labels=MANAGED_BY, optional=True),
)


def ours(kind: str, plural: str) -> Resource:
    """One of our kinds."""
    return Resource(GROUP, VERSION, plural, kind)
