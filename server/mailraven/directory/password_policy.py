"""What a new password has to be: length, not one that everybody tries, hard enough to guess (NIST SP 800-63B §5.1.1.2).

Costs up to some 100 ms of CPU: Passwords runs it in its threads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import argon2

from mailraven.directory.errors import InvalidValue, WeakPassword
from mailraven_api.settings import PasswordSettings

# The estimator's time grows with the square of the length, so no more than this is looked at from either end.
_WINDOW = 40
_SUBSTITUTIONS = 16  # ways to read `p4$$w0rd`; beyond it only the commonest meaning of each character is tried
_INPUTS = 20
_INPUT_CHARACTERS = 100
_WORD = re.compile(r"[^\W_]+")
_SHORTEST_INPUT = 3
_OWN_CHARACTERS = 5  # that a password has beside the user's address and name

# A hash from elsewhere is computed at each login until the first good one renews it: no dearer than RFC 9106 §4 asks.
_MAX_MEMORY_KIB = 64 * 1024
_MAX_TIME_COST = 10
_MAX_LANES = 16
_MIN_SALT_OCTETS = 8
_MIN_HASH_OCTETS = 16
# argon2 itself reads to the first NUL.
_BASE64 = r"[A-Za-z0-9+/]{1,200}"
_PHC = re.compile(rf"\$argon2id\$v=19\$m=[0-9]{{1,8}},t=[0-9]{{1,4}},p=[0-9]{{1,3}}\${_BASE64}\${_BASE64}")


def check_password(password: str, settings: PasswordSettings, *, inputs: Iterable[str] = (), admin: bool) -> None:
    """Raises WeakPassword with a text for the person who chose it. `inputs`: his address, his name."""
    minimum = max(settings.min_length, settings.admin_min_length) if admin else settings.min_length
    if len(password) < minimum:
        whose = "an admin's password" if admin else "a password"
        raise WeakPassword(f"{whose} has at least {minimum} characters; several words are easy to remember")
    if not settings.reject_common and settings.min_strength == 0:
        return
    words = _input_words(inputs)
    if settings.reject_common and _is_common(password, words):
        raise WeakPassword("this password is among those that everybody tries first; take several unrelated words")
    if settings.reject_common and _is_made_of(password, words):
        raise WeakPassword("this password is little more than the address or the name; take several unrelated words")
    if settings.min_strength and _strength(password, words) < settings.min_strength:
        raise WeakPassword(
            "this password is too easy to guess; add another word or two, better uncommon ones, "
            "and no names, dates, rows of keys or repetitions"
        )


def check_hash(text: str) -> str:
    """A PHC string of argon2id made elsewhere, for migrations. Raises InvalidValue when we would not verify it.

    Until its owner's first login renews it, a login there takes as long as its parameters ask.
    """
    problem = InvalidValue("expected an argon2id hash in PHC format: $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH")
    if not _PHC.fullmatch(text):
        raise problem
    try:
        found = argon2.extract_parameters(text)
    except (argon2.exceptions.InvalidHashError, ValueError, AttributeError):
        raise problem from None
    if found.salt_len < _MIN_SALT_OCTETS or found.hash_len < _MIN_HASH_OCTETS:
        raise problem
    if not (
        8 * found.parallelism <= found.memory_cost <= _MAX_MEMORY_KIB
        and 1 <= found.time_cost <= _MAX_TIME_COST
        and 1 <= found.parallelism <= _MAX_LANES
    ):
        raise InvalidValue(
            f"the hash takes more than {_MAX_MEMORY_KIB} KiB, {_MAX_TIME_COST} passes or {_MAX_LANES} lanes, "
            "or fewer than argon2 allows"
        )
    try:
        argon2.PasswordHasher().verify(text, "")
    except argon2.exceptions.VerifyMismatchError:
        return text
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        raise problem from None
    raise InvalidValue("the hash is that of an empty password")


def _input_words(inputs: Iterable[str]) -> list[str]:
    """The inputs and the words in them: `anna.meier@example.org` -> itself, anna, meier, example, org."""
    words: dict[str, None] = {}
    for text in inputs:
        lower = text[:_INPUT_CHARACTERS].lower()
        words[lower] = None
        words |= dict.fromkeys(_WORD.findall(lower))
    return [word for word in words if len(word) >= _SHORTEST_INPUT][:_INPUTS]


def _is_common(password: str, words: list[str]) -> bool:
    # 15 MiB of word lists: only a process that sets passwords carries them.
    from zxcvbn import matching  # type: ignore[import-untyped]

    lower = password.lower()
    return lower in matching.RANKED_DICTIONARIES["passwords"] or lower in words


def _is_made_of(password: str, words: list[str]) -> bool:
    rest = password.lower()
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    return len(rest) < min(_OWN_CHARACTERS, len(password))


def _strength(password: str, words: list[str]) -> int:
    """0 to 4, as zxcvbn has it; the better one of both ends of a long password."""
    score = _score(password[:_WINDOW], words)
    if len(password) > _WINDOW and score < 4:
        score = max(score, _score(password[-_WINDOW:], words))
    return score


def _score(text: str, words: list[str]) -> int:
    # zxcvbn.zxcvbn() does the same, but leaves the user's words in a dictionary that all threads share, and tries
    # every combination of substitutions: seconds for a password of nothing but look-alikes.
    from zxcvbn import matching, scoring, time_estimates

    dictionaries = {**matching.RANKED_DICTIONARIES, "user_inputs": matching.build_ranked_dict(words)}
    table = matching.relevant_l33t_subtable(text, matching.L33T_TABLE)
    if math.prod(len(found) for found in table.values()) > _SUBSTITUTIONS:
        table = {letter: found[:1] for letter, found in table.items()}
    matches = matching.l33t_match(text, _ranked_dictionaries=dictionaries, _l33t_table=table)
    for matcher in (
        matching.dictionary_match,
        matching.reverse_dictionary_match,
        matching.spatial_match,
        matching.repeat_match,
        matching.sequence_match,
        matching.regex_match,
        matching.date_match,
    ):
        matches.extend(matcher(text, _ranked_dictionaries=dictionaries))
    matches.sort(key=lambda match: (match["i"], match["j"]))
    guesses = scoring.most_guessable_match_sequence(text, matches)["guesses"]
    score: int = time_estimates.guesses_to_score(guesses)
    return score
