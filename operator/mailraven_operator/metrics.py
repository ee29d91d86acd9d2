"""What Prometheus asks for. One set for the process; tests make their own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class Metrics:
    """Names begin with mailraven_operator_."""

    def __init__(self, *, process: bool = True) -> None:
        """`process`: with the figures of the process, such as its memory."""
        self.registry = CollectorRegistry()
        if process:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
            GCCollector(registry=self.registry)
        prefix = "mailraven_operator_"
        self.reconciles = Counter(
            f"{prefix}reconciles",
            "Looks at resources. result: ok, problem (a condition tells which), error (a defect).",
            ("kind", "result"),
            registry=self.registry,
        )
        self.duration = Histogram(
            f"{prefix}reconcile_duration_seconds",
            "How long a look took.",
            ("kind",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.problems = Counter(
            f"{prefix}problems",
            "Looks that ended with a problem, by the reason of the condition.",
            ("kind", "reason"),
            registry=self.registry,
        )
        self.repaired = Counter(
            f"{prefix}drift_repaired",
            "What had been changed by hand and was put back.",
            ("kind",),
            registry=self.registry,
        )
        self.status_writes = Counter(
            f"{prefix}status_writes", "Statuses written because they had changed.", ("kind",), registry=self.registry
        )
        self.resources = Gauge(
            f"{prefix}resources",
            "Resources by kind. state: valid, invalid (they do not fit the CRD's present form).",
            ("kind", "state"),
            registry=self.registry,
        )
        self.queue = Gauge(
            f"{prefix}queue_length", "Resources that wait to be looked at.", ("state",), registry=self.registry
        )
        self.resync = Gauge(
            f"{prefix}resync_duration_seconds",
            "How long the last look at everything took, from the listing to the last resource.",
            registry=self.registry,
        )
        self.resynced_at = Gauge(
            f"{prefix}resync_timestamp_seconds", "When the last look at everything ended.", registry=self.registry
        )
        self.watch_restarts = Counter(
            f"{prefix}watch_restarts", "How often the watching of the API server broke off.", registry=self.registry
        )
        self.leader = Gauge(f"{prefix}leader", "1: this replica is the one that works.", registry=self.registry)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)
