"""Values that cannot work are refused before anything is installed, with a text that names the value."""

from collections.abc import Callable

import pytest

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("mx.autoscaling.minReplicas=1", ["/mx/autoscaling/minReplicas", "want 2"]),
        ("mx.autoscaling.minReplicas=0", ["/mx/autoscaling/minReplicas", "want 2"]),
        ("imap.autoscaling.minReplicas=0", ["/imap/autoscaling/minReplicas"]),
        ('mx.service.type="Balancer"', ["/mx/service/type", "'LoadBalancer'"]),
        ("mx.service.nodePorts.smtp=70000", ["/mx/service/nodePorts/smtp", "65,535"]),
        ("mx.service.ports.imap=143", ["/mx/service/ports", "'imap' not allowed"]),
        ("mx.replicaz=3", ["/mx", "'replicaz' not allowed"]),
        ("pod.terminationGracePeriodSeconds=30", ["/pod/terminationGracePeriodSeconds", "want 60"]),
        ("imap.terminationGracePeriodSeconds=10", ["/imap/terminationGracePeriodSeconds", "want 60"]),
        ('hostname="mail"', ["/hostname"]),
        ('hostname="mail_1.example.org"', ["/hostname"]),
        ("nonsense=1", ["'nonsense' not allowed"]),
        ('image.digest="sha256:abc"', ["/image/digest"]),
        ('image.tag="1.0 x"', ["/image/tag"]),
        ('operator.image.repository="a: b"', ["/operator/image/repository"]),
        ('nameOverride="Bad Name"', ["/nameOverride"]),
        ('fullnameOverride="mail.raven"', ["/fullnameOverride"]),
        ('blobs.s3.endpoint="https://s3.example.org"', ["/blobs/s3/endpoint"]),
        ('blobs.kind="nfs"', ["/blobs/kind", "'s3', 'file'"]),
        ('proxyProtocol.mx="yes"', ["/proxyProtocol/mx", "'require'"]),
        ('proxyProtocol.trustedNetworks=["everybody"]', ["/proxyProtocol/trustedNetworks/0"]),
        ('migrations.wait="soon"', ["/migrations/wait"]),
        ('operator.watchNamespaces=["Team A"]', ["/operator/watchNamespaces/0"]),
        ("operator.resyncSeconds=1", ["/operator/resyncSeconds"]),
    ],
)
def test_the_schema_refuses(refused: Refused, assignment: str, said: list[str]) -> None:
    text = refused("minimal", assignment)
    for words in said:
        assert words in text


@pytest.mark.parametrize(
    ("values", "assignments", "said"),
    [
        (None, [], "hostname: needed"),
        ("minimal", ['database.existingSecret=""'], "database.existingSecret: needed"),
        ("minimal", ['blobs.s3.endpoint=""'], "blobs.s3.endpoint: needed"),
        ("minimal", ['blobs.s3.existingSecret=""'], "blobs.s3.existingSecret: needed"),
        ("minimal", ['blobs.kind="file"'], "blobs.file.existingClaim: needed"),
        ("minimal", ['proxyProtocol.mx="require"'], "proxyProtocol.trustedNetworks has to name the load balancers"),
        ("minimal", ['config.database.url="postgresql://u:geheim@h/d"'], "config.database.url is a secret"),
        ("minimal", ['config.secrets.key="Z2VoZWlt"'], "config.secrets.key is a secret"),
        ("minimal", ['config.blobs.s3.secret_key="geheim"'], "config.blobs.s3.secret_key is a secret"),
        ("minimal", ["tls.certManager.enabled=true"], "tls.certManager.issuerRef.name: needed"),
        ("minimal", ["ingress.enabled=true"], "ingress.host: needed"),
        ("minimal", ["httpRoute.enabled=true"], "httpRoute.parentRefs: needed"),
        ("minimal", ["admin.enabled=false"], "operator.enabled needs admin.enabled"),
        ("minimal", ["mx.autoscaling.enabled=true", "mx.autoscaling.minReplicas=20"], "maxReplicas is less"),
        ("dev", ['migrations.mode="hook"'], "use auto or job"),
        ("dev", ['database.existingSecret="db-app"'], "dev.enabled brings its own Postgres and S3"),
    ],
)
def test_the_chart_refuses(refused: Refused, values: str | None, assignments: list[str], said: str) -> None:
    text = refused(values, *assignments)
    assert said in text
    assert "geheim" not in text
