"""Names of variables, and slips in them: a setting that is silently not taken costs somebody an evening."""

import pytest

from mailraven.config import ConfigError, load
from mailraven.config.variables import meant_variable, variable_of


def test_a_key_has_one_variable() -> None:
    assert variable_of(("blobs", "s3", "endpoint")) == "MAILRAVEN_BLOBS__S3__ENDPOINT"


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("MAILRAVEN_DATABASE_URL", "MAILRAVEN_DATABASE__URL"),
        ("MAILRAVEN_HOSTNAM", "MAILRAVEN_HOSTNAME"),
        ("MAILRAVEN_BLOBS_S3_SECRET_KEY_FILE", "MAILRAVEN_BLOBS__S3__SECRET_KEY_FILE"),
        ("MAILRAVEN_SMTP_MAX_MESSAGESIZE", "MAILRAVEN_SMTP__MAX_MESSAGE_SIZE"),
    ],
)
def test_a_slip_ends_the_program_with_the_name_that_was_meant(variable: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ={variable: "x"})
    assert caught.value.problems == [f"variable {variable}: no such setting; did you mean {meant}?"]


def test_all_slips_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ={"MAILRAVEN_WORKER": "2", "MAILRAVEN_DATABASE_URL": "postgresql://h/d"})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "variable",
    ["URL", "TOKEN", "TOKEN_FILE", "DATA", "CORPUS", "TEST_DATABASE_URL", "OPERATOR_TOKEN_FILE", "SERVICE_HOST"]
    + [f"{name}_{what}" for name in ("IMAP", "SMTP", "HTTP", "DELIVERY", "DATABASE") for what in ("PORT", "HOST")],
)
def test_other_names_are_left_alone(variable: str) -> None:
    assert meant_variable(f"MAILRAVEN_{variable}") is None


def test_what_kubernetes_sets_is_left_alone_even_if_it_looks_like_ours() -> None:
    assert load(environ={"MAILRAVEN_DELIVERY_SMTP_PORT": "tcp://10.0.0.1:25"}) == load()
