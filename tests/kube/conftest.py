"""A real API server with the CRDs."""

from mailraven.testing.kube_apiserver import kube_api, kube_namespace

__all__ = ["kube_api", "kube_namespace"]
