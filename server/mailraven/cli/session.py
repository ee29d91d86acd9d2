"""What a command that talks to a server works with, and the options that all of them have."""

import functools
import inspect
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from mailraven.app.data_directory import DataDirectory
from mailraven.cli.connection import NoServer, find_server
from mailraven.cli.groups import Commands
from mailraven.cli.options import (
    DEFAULT_DATA,
    Format,
    OfflineAssignments,
    OfflineConfig,
    Output,
    ServerData,
    TokenFile,
    Url,
)
from mailraven.cli.output import Output as Writer
from mailraven.cli.problems import reported

if TYPE_CHECKING:
    from mailraven.cli.api_client import Api
    from mailraven.directory import Directory

T = TypeVar("T")
_PARAMETERS = (("data", ServerData, DEFAULT_DATA), ("url", Url, None), ("token_file", TokenFile, None))
_OFFLINE_PARAMETERS = (("config", OfflineConfig, None), ("assignments", OfflineAssignments, None))


class Session:
    """The server and where answers go."""

    def __init__(
        self,
        *,
        data: Path,
        url: str | None,
        token_file: Path | None,
        output: Format,
        config: Sequence[Path] | None = None,
        assignments: Sequence[str] | None = None,
        offline: bool = False,
    ) -> None:
        self.output = Writer(output)
        self._data = data
        self._url = url
        self._token_file = token_file
        self._config = config
        self._assignments = assignments
        self._api: Api | None = None
        self.is_offline = offline and self._decide_offline()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._api is not None:
            self._api.__exit__(kind, error, trace)

    @property
    def api(self) -> "Api":
        """The server's API. Raises CommandError when there is no server."""
        if self._api is None:
            from mailraven.cli.api_client import Api

            server = find_server(DataDirectory(self._data), self._url, self._token_file, os.environ)
            self._api = Api(server)
        return self._api

    def directory(self, action: "Callable[[Directory], Awaitable[T]]", *, audit: tuple[str, str] | None = None) -> T:
        """Without a server: on the database itself. `audit` is what is done to what."""
        from mailraven.cli.directory import with_directory

        return with_directory(self._data, self._config, self._assignments, action, audit)

    def _decide_offline(self) -> bool:
        if self._url:
            return False
        if self._config or self._assignments or any(name.startswith("MAILRAVEN_DATABASE__") for name in os.environ):
            return True
        try:
            find_server(DataDirectory(self._data), None, self._token_file, os.environ)
        except NoServer:
            return True
        return False


def online(app: Commands, name: str, *, offline: bool = False, **more: Any) -> Callable[[Callable[..., None]], Any]:
    """Registers a command whose function gets a Session before its own arguments.

    With `offline` it also works without a server, on the database; the function looks at session.is_offline.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        shared = [*_PARAMETERS, *(_OFFLINE_PARAMETERS if offline else ())]

        @functools.wraps(function)
        def command(**given: Any) -> None:
            places = {key: given.pop(key) for key, _, _ in shared}
            output = given.pop("output")
            with reported(), Session(**places, output=output, offline=offline) as session:
                function(session, **given)

        own = list(inspect.signature(function).parameters.values())[1:]
        added = [("output", Output, Format.TABLE), *shared]
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own),
                *(
                    inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
                    for key, annotation, default in added
                ),
            ]
        )
        app.command(name, **more)(command)
        return function

    return register
