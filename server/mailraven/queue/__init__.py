"""The outbound queue: SQL over queue_message and queue_recipient, and the retry schedule."""

from mailraven.queue.census import Depth, depth, purge
from mailraven.queue.enqueue import NewMessage, RemoteRecipient, enqueue
from mailraven.queue.leases import Claim, ClaimedRecipient, Room, claim, extend, next_due, release
from mailraven.queue.listing import Filter, QueuedMessage, QueuedRecipient, Waiting
from mailraven.queue.operations import (
    Action,
    Outcome,
    apply,
    hold_account,
    lift_account_hold,
    sweep_held,
    wakes,
)
from mailraven.queue.schedule import Decision, GiveUp, RetryAt, Schedule, decide
from mailraven.queue.transitions import State, Transition, settle

__all__ = [
    "Action",
    "Claim",
    "ClaimedRecipient",
    "Decision",
    "Depth",
    "Filter",
    "GiveUp",
    "NewMessage",
    "Outcome",
    "QueuedMessage",
    "QueuedRecipient",
    "RemoteRecipient",
    "RetryAt",
    "Room",
    "Schedule",
    "State",
    "Transition",
    "Waiting",
    "apply",
    "claim",
    "decide",
    "depth",
    "enqueue",
    "extend",
    "hold_account",
    "lift_account_hold",
    "next_due",
    "purge",
    "release",
    "settle",
    "sweep_held",
    "wakes",
]
