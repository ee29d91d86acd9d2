"""DKIM keys of domains: made, rotated, published, retired (RFC 6376, RFC 8463). Private keys are sealed."""

from mailraven.dkim.errors import DkimError, KeyInUse, NoSuchKey, SelectorExists, TooManyKeys
from mailraven.dkim.generation import Algorithm, FreshKey, generate_key
from mailraven.dkim.keys import (
    activate_key,
    check_room,
    create_key,
    delete_key,
    ensure_key,
    get_key,
    lacking_for_rotation,
    list_keys,
    prepare_keys,
    published_keys,
    retire_key,
    rotate_keys,
)
from mailraven.dkim.model import DkimKey, State
from mailraven.dkim.signing import SigningKey, signing_keys

__all__ = [
    "Algorithm",
    "DkimError",
    "DkimKey",
    "FreshKey",
    "KeyInUse",
    "NoSuchKey",
    "SelectorExists",
    "SigningKey",
    "State",
    "TooManyKeys",
    "activate_key",
    "check_room",
    "create_key",
    "delete_key",
    "ensure_key",
    "generate_key",
    "get_key",
    "lacking_for_rotation",
    "list_keys",
    "prepare_keys",
    "published_keys",
    "retire_key",
    "rotate_keys",
    "signing_keys",
]
