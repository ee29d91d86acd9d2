"""What the server tells about itself: logs (structlog) and metrics (Prometheus)."""
