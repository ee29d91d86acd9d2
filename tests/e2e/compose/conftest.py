"""Projects of docker compose for tests: `make e2e-compose` builds the image and runs them."""

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mailraven.testing.compose_project import ComposeProject
from mailraven.tls.selfsigned import ensure_self_signed

ROOT = Path(__file__).parents[3]
# Any may be named by the environment, as in .env.
IMAGES = {"SERVER_IMAGE": "mailraven-server:dev", "POSTGRES_IMAGE": "postgres:15"}
Make = Callable[..., ComposeProject]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with fullchain.pem, privkey.pem and ca.pem, for the name localhost."""
    directory = tmp_path_factory.mktemp("certificates")
    directory.chmod(0o755)  # the containers are not the owner
    made = ensure_self_signed(directory / "made", ["localhost"], dt.datetime.now(dt.UTC))
    for name, path in (("fullchain", made.cert_file), ("privkey", made.key_file), ("ca", made.ca_file)):
        shutil.copyfile(path, directory / f"{name}.pem")
        (directory / f"{name}.pem").chmod(0o644)
    return directory


@pytest.fixture(scope="module")
def make_project(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Make]:
    """Makes projects that are not started; lines of .env may be given."""
    with ExitStack() as stack:

        def make(**settings: str) -> ComposeProject:
            images = {name: os.environ.get(name, default) for name, default in IMAGES.items()}
            given = {
                "MAILRAVEN_HOSTNAME": "mail.example.test",
                "CERTS_DIRECTORY": str(certificates),
                "MAILRAVEN_TLS__CERT_FILE": "/certs/fullchain.pem",
                "MAILRAVEN_TLS__KEY_FILE": "/certs/privkey.pem",
                **images,
                **settings,
            }
            return stack.enter_context(ComposeProject(ROOT, tmp_path_factory.mktemp("project"), given))

        yield make
