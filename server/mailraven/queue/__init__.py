"""The outbound queue: SQL over queue_message and queue_recipient, and the retry schedule."""

from mailraven.queue.census import Depth, depth, purge
from mailraven.queue.enqueue import NewMessage, RemoteRecipient, enqueue
from mailraven.queue.leases import Claim, ClaimedRecipient, Room, claim, extend, next_due, release
from mailraven.queue.schedule import Decision, GiveUp, RetryAt, Schedule, decide
from mailraven.queue.transitions import State, Transition, settle

__all__ = [
    "Claim",
    "ClaimedRecipient",
    "Decision",
    "Depth",
    "GiveUp",
    "NewMessage",
    "RemoteRecipient",
    "RetryAt",
    "Room",
    "Schedule",
    "State",
    "Transition",
    "claim",
    "decide",
    "depth",
    "enqueue",
    "extend",
    "next_due",
    "purge",
    "release",
    "settle",
]
