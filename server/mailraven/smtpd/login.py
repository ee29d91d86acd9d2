"""AUTH: whether it is offered, and the check of what a SASL exchange brought (RFC 4954, RFC 8314 §3.3)."""

import structlog

from mailraven.directory import DirectoryUnavailable, loggable_login
from mailraven.sasl import MECHANISMS, Credentials
from mailraven.smtp import replies
from mailraven.smtp.reply import Reply
from mailraven.smtpd.services import Role, Services
from mailraven.smtpd.session import Session
from mailraven.telemetry.metrics import AUTH_ATTEMPTS
from mailraven.trace import login_failed

_log = structlog.get_logger(component="smtpd")
_OK = AUTH_ATTEMPTS.labels("smtp", "ok")
_FAILED = AUTH_ATTEMPTS.labels("smtp", "failed")
_REFUSED = AUTH_ATTEMPTS.labels("smtp", "refused")
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
    gate, ip, login = services.gate, session.peer_ip, credentials.login
    if gate is not None:
        decision = await gate.login_allowed(ip, login, request_id=session.id)
        if not decision.allowed:  # the right password would be refused too: none is looked at
            _REFUSED.inc()
            return replies.TOO_MANY_LOGINS.saying(decision.text)
    try:
        identity = await services.directory.authenticate(credentials.login, credentials.password, protocol="smtp")
    except BaseException as error:
        if gate is not None:
            gate.login_undecided(ip, login)
        if not isinstance(error, DirectoryUnavailable):
            raise
        _ERROR.inc()
        return replies.AUTH_UNAVAILABLE
    if identity is None or not credentials.acts_for_itself:
        _FAILED.inc()
        session.auth_failures += 1
        if gate is not None:
            await gate.login_failed(ip, login, "smtp")
        shown = loggable_login(login)
        _log.warning("authentication_failed", protocol="smtp", request_id=session.id, ip=ip, login=shown)
        if services.trace is not None:
            services.trace.record(login_failed(session.id, ip, shown, "smtp"))
        return replies.AUTH_REFUSED
    if gate is not None:
        await gate.login_succeeded(ip, login, "smtp")
    _OK.inc()
    session.identity = identity
    return replies.AUTHENTICATED
