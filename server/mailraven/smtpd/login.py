"""AUTH: whether it is offered, and the check of what a SASL exchange brought (RFC 4954, RFC 8314 §3.3)."""

import structlog

from mailraven.directory import DirectoryUnavailable, loggable_login
from mailraven.sasl import MECHANISMS, Credentials
from mailraven.smtp import replies
from mailraven.smtp.reply import Reply
from mailraven.smtpd.services import Role, Services
from mailraven.smtpd.session import Session
from mailraven.telemetry.metrics import AUTH_ATTEMPTS

_log = structlog.get_logger(component="smtpd")
_OK = AUTH_ATTEMPTS.labels("smtp", "ok")
_FAILED = AUTH_ATTEMPTS.labels("smtp", "failed")
_ERROR = AUTH_ATTEMPTS.labels("smtp", "error")


def may_send_password(services: Services, session: Session) -> bool:
    """Under TLS, or over loopback where a setting says so."""
    return session.secure or (services.plaintext_login_from_loopback and session.is_loopback)


def mechanisms_offered(services: Services, session: Session) -> tuple[str, ...]:
    if services.role is not Role.SUBMISSION or session.identity is not None:
        return ()
    return tuple(MECHANISMS) if may_send_password(services, session) else ()


async def log_in(services: Services, session: Session, credentials: Credentials) -> Reply:
    """Sets the session's identity, or answers why not; the same words for every wrong login."""
    try:
        identity = await services.directory.authenticate(credentials.login, credentials.password)
    except DirectoryUnavailable:
        _ERROR.inc()
        return replies.AUTH_UNAVAILABLE
    if identity is None or not credentials.acts_for_itself:
        _FAILED.inc()
        session.auth_failures += 1
        _log.info("login refused", request_id=session.id, peer=session.peer_ip, login=loggable_login(credentials.login))
        return replies.AUTH_REFUSED
    _OK.inc()
    session.identity = identity
    return replies.AUTHENTICATED
