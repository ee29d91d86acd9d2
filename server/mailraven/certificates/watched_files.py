"""The certificate of the settings: files that somebody else renews, such as a mounted Secret."""

from __future__ import annotations

from pathlib import Path

import structlog
from cryptography import x509

from mailraven.certificates.expiry import Lifetime
from mailraven.tls import PemPair, TlsError, make_context, read_pair

_log = structlog.get_logger(component="certificates")
_Stamp = tuple[tuple[int, int, int] | None, ...]


class WatchedFiles:
    """Read again when they change; what cannot be used leaves the pair before in force."""

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        """Raises TlsError."""
        self._paths = (cert_file, key_file)
        self._stamp = self._look()
        self._complained: _Stamp | None = None
        self.pair = self._read()

    def refresh(self) -> bool:
        """Whether there is another pair now. Files: for a thread."""
        stamp = self._look()
        if stamp == self._stamp:
            return False
        try:
            pair = self._read()
        except TlsError as error:
            # Perhaps only one of the two files is there yet: look again, but say it once.
            if stamp != self._complained:
                self._complained = stamp
                _log.error("certificate_reload_failed", reason=str(error))
            return False
        self._stamp, self._complained = stamp, None
        if pair == self.pair:
            return False
        self.pair = pair
        _log.info("certificate_reloaded", certificate=pair.label)
        return True

    def lifetime(self) -> Lifetime | None:
        """Of the first certificate; None when only OpenSSL understands it."""
        try:
            leaf = x509.load_pem_x509_certificate(self.pair.chain)
        except ValueError:
            return None
        return Lifetime(str(self._paths[0]), f"{leaf.serial_number:x}", leaf.not_valid_after_utc)

    def _read(self) -> PemPair:
        pair = read_pair(*self._paths)
        make_context([pair])
        return pair

    def _look(self) -> _Stamp:
        return tuple(_stamp_of(path) for path in self._paths)


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    """A Secret is swapped by a link: another inode."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
