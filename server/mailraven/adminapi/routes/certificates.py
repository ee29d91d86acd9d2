"""/api/v1/certificates: what the listeners show, by SNI. Private keys come in and never go out."""

import asyncio
import dataclasses
import datetime as dt
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Response
from fastapi import Path as InPath

from mailraven import certificates
from mailraven.adminapi.access import Who, allow, change
from mailraven.adminapi.etag import IfMatch, set_etag
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import problems
from mailraven.adminapi.services import Api
from mailraven.certificates import StoredCertificate
from mailraven_api.certificate import Certificate, CertificateName, CertificateUpload, CertificateWithChain

router = APIRouter(prefix="/api/v1/certificates", tags=["certificates"])
_log = structlog.get_logger(component="adminapi")

Reader = Annotated[Principal, Depends(allow("certificates:read", Who.SUPER))]
Admin = Annotated[Principal, Depends(allow("certificates:write", Who.SUPER))]
Name = Annotated[CertificateName, InPath(description="What the store calls the certificate.")]
_AUDITED = ("names", "issuer", "serial", "fingerprint", "key_type", "not_before", "not_after")


@router.get("", summary="List certificates")
async def list_certificates(api: Api, principal: Reader, paging: Paging) -> Page[Certificate]:
    """By name, without chains."""
    async with api.database.acquire() as connection:
        found = await certificates.list_certificates(connection, after=paging.after, limit=paging.fetch)
    return paging.page(found, lambda row: row.name, lambda row: Certificate(**_fields(row)))


@router.get("/{name}", summary="Show a certificate", responses=problems(404))
async def get_certificate(api: Api, principal: Reader, name: Name, response: Response) -> CertificateWithChain:
    """With its chain, without its key."""
    async with api.database.acquire() as connection:
        found = await certificates.get_certificate(connection, name)
    return _shown(response, found)


@router.put(
    "/{name}",
    summary="Upload or replace a certificate",
    responses={201: {"model": CertificateWithChain, "description": "It is new."}, **problems(409, 412)},
)
async def put_certificate(
    api: Api, principal: Admin, name: Name, body: CertificateUpload, expected: IfMatch, response: Response
) -> CertificateWithChain:
    """All processes serve it within two seconds, without a restart. An upload that is refused (422) leaves the one
    before in force. The same request again changes nothing. 409: the server has no master key.
    """
    secret = body.private_key.get_secret_value()
    checked = await asyncio.to_thread(certificates.check_upload, body.chain, secret, dt.datetime.now(dt.UTC))
    async with change(api, principal) as tx:
        put = await certificates.put_certificate(tx.connection, api.sealer, name, checked, expected=expected)
        if put.changed:
            before = None if put.before is None else _audited(put.before)
            action = "certificate.create" if before is None else "certificate.update"
            await tx.audit(action, name, before=before, after=_audited(put.after))
    warnings: tuple[str, ...] = ()
    if put.names_lost:
        lost = ", ".join(put.names_lost)
        warnings = (f"The certificate before was also valid for {lost}.",)
        _log.warning("certificate_names_lost", certificate=name, names=put.names_lost, request_id=principal.request_id)
    if put.before is None:
        response.status_code = 201
    return _shown(response, put.after, warnings)


@router.delete("/{name}", status_code=204, summary="Delete a certificate", responses=problems(404, 412))
async def delete_certificate(api: Api, principal: Admin, name: Name, expected: IfMatch) -> None:
    """Its names are served by another one that has them, or by the default certificate."""
    async with change(api, principal) as tx:
        gone = await certificates.delete_certificate(tx.connection, name, expected=expected)
        await tx.audit("certificate.delete", name, before=_audited(gone))


def _shown(response: Response, stored: StoredCertificate, warnings: tuple[str, ...] = ()) -> CertificateWithChain:
    set_etag(response, stored.version)
    return CertificateWithChain(**_fields(stored), chain=stored.chain, warnings=warnings)


def _fields(stored: StoredCertificate) -> dict[str, Any]:
    fields = dataclasses.asdict(stored)
    del fields["chain"]
    return fields | {"days_left": (stored.not_after - dt.datetime.now(dt.UTC)).days}


def _audited(stored: StoredCertificate) -> dict[str, Any]:
    values = {name: getattr(stored, name) for name in _AUDITED}
    return {name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in values.items()}
