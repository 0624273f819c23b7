"""Checks of keys, tokens and body sizes, and error responses."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping

from anyio import to_thread
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.access import NoAccessError
from app.access.admission import BusyError
from app.access.callers import Caller, Callers
from app.access.keys import ApiKey, UserLimitError
from app.access.limits import SCOPES
from app.access.rates import Rates
from app.access.tokens import TokenError
from app.api.answers import UnknownError, WrongValueError
from app.telemetry.stages import count, stage
from ingest import CiteloopError
from ingest.home.log import begin_request, fault, request_id

MAX_BODY_BYTES = 5_000_000
_TOO_LARGE = f"the request is larger than {MAX_BODY_BYTES:,} bytes; send fewer or shorter documents"
_NO_KEY = "expected the header Authorization: Bearer KEY, with a key made by: citeloop keys add NAME"
_REQUEST_ID = "X-Request-ID"
_IS_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_MAX_SHOWN_PROBLEMS = 5
_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
"""Status -> type of error, as OpenAI-compatible services name them."""
_SCOPES = {"chat": "ask", "models": "ask"}
"""First part of a path -> scope, where they differ."""
_STATUS = {UnknownError: 404, WrongValueError: 422, UserLimitError: 403, NoAccessError: 403, TokenError: 401}
_ASK_FOR_KEY = {"WWW-Authenticate": "Bearer"}

_log = logging.getLogger(__name__)


class InRequest:
    """Gives each request an id, by default that of its header, for the log and the response; logs how it ended."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(_REQUEST_ID, "")
        begin_request(given if _IS_ID.fullmatch(given) else "")  # to the end of the task, whose server may log a fault
        with stage("request") as current:

            async def send_with_id(message: Message) -> None:
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message)[_REQUEST_ID] = request_id()
                    current.fields["status"] = message["status"]
                await send(message)

            await self._app(scope, receive, send_with_id)
            current.fields["path"] = getattr(scope.get("route"), "path", "")  # a path that is not ours may be anything


class KeyRequired:
    """Checks key or token, scope and rate of each request before the body is read; stores the caller in its state."""

    def __init__(self, app: ASGIApp, callers: Callers, rates: Rates, open_path: str = "") -> None:
        """open_path: may be read without a key."""
        self._app, self._callers, self._rates, self._open_path = app, callers, rates, open_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or path == self._open_path:
            await self._app(scope, receive, send)
            return
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        try:
            caller = await to_thread.run_sync(self._callers.find, given.strip()) if scheme.lower() == "bearer" else None
        except CiteloopError as error:  # the error handlers are further inside and would not see it
            await _refused(error)(scope, receive, send)
            return
        action = path.strip("/").partition("/")[0]
        refusal = self._refusal(caller, _SCOPES.get(action, action))
        if refusal:
            count("refusals", reason=str(refusal.status_code))
            await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def _refusal(self, caller: Caller | None, action: str) -> JSONResponse | None:
        if caller is None:
            return error_response(401, _NO_KEY, _ASK_FOR_KEY)
        if caller.key and (refusal := _key_refusal(caller.key, action)):
            return refusal
        if wait_seconds := self._rates.take(caller.rights.user, caller.limits.rate):
            name = caller.key.name if caller.key else ""
            advice = f", or allow more with: citeloop keys change {name} --rate N" if name else ""
            return error_response(
                429,
                f"{f'the key of {name}' if name else caller.rights.user} may send {caller.limits.rate} requests a "
                f"minute; wait as Retry-After says{advice}",
                {"Retry-After": str(math.ceil(wait_seconds))},
            )
        return None


def missing_scope(key: ApiKey, scope: str) -> str:
    """Return the message for a key that does not have a scope, '' if it has."""
    if scope in key.limits.scopes:
        return ""
    return (
        f"the key of {key.name} may {', '.join(key.limits.scopes)}, but not {scope}; allow it with: "
        f"citeloop keys change {key.name} --scope {scope}, plus every other --scope that it keeps"
    )


def _key_refusal(key: ApiKey, action: str) -> JSONResponse | None:
    """Return the refusal if a key has expired or lacks the scope."""
    if key.is_expired:
        expired = f"the key of {key.name} expired on {str(key.limits.expires_at)[:10]}"
        message = f"{expired}; renew it with: citeloop keys change {key.name} --expires DAYS"
        return error_response(401, message, _ASK_FOR_KEY)
    if action in SCOPES and (problem := missing_scope(key, action)):
        return error_response(403, problem)
    return None


class BodyLimit:
    """Refuses a request whose body is too large, by its declared or actual length."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
            await error_response(413, _TOO_LARGE)(scope, receive, send)
            return
        num_bytes = 0

        async def receive_counted() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > MAX_BODY_BYTES:
                raise HTTPException(413, _TOO_LARGE)
            return message

        await self._app(scope, receive_counted, send)


def error_record(status: int, message: str) -> dict[str, object]:
    """Return the body of every error, in OpenAI's shape."""
    kind = _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the response of every error."""
    return JSONResponse(error_record(status, message), status, headers={_REQUEST_ID: request_id(), **(headers or {})})


def explained(error: Exception) -> str:
    """Return the message for the client; internal errors are logged instead."""
    if isinstance(error, CiteloopError):
        return str(error)
    _log.error("a request failed", exc_info=error)
    return fault()


def _refused(error: CiteloopError) -> JSONResponse:
    status = next((_STATUS[kind] for kind in _STATUS if isinstance(error, kind)), 503)
    return error_response(status, str(error), _ASK_FOR_KEY if status == 401 else None)


def handle_errors(api: FastAPI) -> None:
    """Answer every error in one shape, without a stack trace."""

    @api.exception_handler(StarletteHTTPException)
    async def refused(_request: Request, error: StarletteHTTPException) -> JSONResponse:
        return error_response(error.status_code, str(error.detail), error.headers)

    @api.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(422, _problems(error))

    @api.exception_handler(BusyError)
    async def busy(_request: Request, error: BusyError) -> JSONResponse:
        return error_response(429, str(error), {"Retry-After": str(error.retry_seconds)})

    @api.exception_handler(CiteloopError)
    async def failed(_request: Request, error: CiteloopError) -> JSONResponse:
        return _refused(error)

    @api.exception_handler(Exception)
    async def crashed(_request: Request, _error: Exception) -> JSONResponse:
        return error_response(500, fault())  # the server writes the log


def _problems(error: RequestValidationError) -> str:
    """Return the problems with their fields, without the values, which may be large."""
    problems = [f"{_field(item['loc'])}: {item['msg']}" for item in error.errors()]
    more = f"; and {len(problems) - _MAX_SHOWN_PROBLEMS} more" if len(problems) > _MAX_SHOWN_PROBLEMS else ""
    return f"{'; '.join(problems[:_MAX_SHOWN_PROBLEMS])}{more}. See GET /v1/openapi.json for what is expected"


def _field(location: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in location[1:]) or "the request"
