"""The delivery daemon: sends the outbound queue and notifies senders."""

from mailraven.delivery.server import DeliveryServer

__all__ = ["DeliveryServer"]
