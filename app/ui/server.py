"""The web server: Streamlit's ASGI app with a Content-Security-Policy and a cookie for each browser.

Optionally serves the API on the same port.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sqlite3
import threading
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path

import streamlit as st
import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.starlette import App

from app.access.policy import EXAMPLE, FILE_NAME
from app.api.health import health_routes
from app.downloads.jobs import DownloadJobStore
from app.reranking.prepare import Preparer
from app.settings import read_settings
from app.telemetry import open_telemetry
from app.training.jobs import TrainingJobStore
from app.ui.own_site import OwnSite, OwnSiteOnly
from app.ui.proxy import TrustedProxy
from app.ui.resources import answerer, feedback_store, pipeline, warm_up
from app.ui.streamlit_options import set_options, trust_headers
from app.ui.upload_limit import UploadsWhereOffered
from app.ui.who import PROXY_EMAIL, PROXY_GROUPS, USER_COOKIE, access, require_login
from ingest import CiteloopError, worker
from ingest.extras import needs_extra
from ingest.home.log import write_log
from ingest.home.sharing import share, writer_elsewhere
from ingest.jobs import JobStore

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # Streamlit loads components from blobs
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",  # no remote images from documents or models
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-ancestors 'self'",
        "base-uri 'self'",
        "form-action 'self'",
    ]
)

_LOCK = "CITELOOP_LOCK_SETTINGS"
_RESUME_SECONDS = 10.0
_SOURCES_SECONDS = 20.0
"""Pause between two checks for due sources."""
_LOOK_SECONDS = 5.0
"""Documents that did not change for so long are prepared for reranking."""


class PageHeaders:
    """Adds security headers to every response, and a random user cookie if missing.

    Without a login, this cookie identifies the user.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cookies = SimpleCookie(dict(scope["headers"]).get(b"cookie", b"").decode("latin-1"))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                if USER_COOKIE not in cookies and "text/html" in headers.get("content-type", ""):
                    year = 365 * 24 * 3600
                    cookie = f"{USER_COOKIE}={uuid.uuid4().hex}; Path=/; Max-Age={year}; HttpOnly; SameSite=Lax"
                    headers.append("Set-Cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def create_app(*, api: bool = False, public_url: str = "") -> App:
    """Return the site as an ASGI app; api: with /v1 and /mcp. public_url: where links in answers lead.

    Raises CiteloopError.
    """
    set_options()
    policy = access().policy
    proxy = policy.proxy if policy else None
    trust_headers({proxy.email_header: PROXY_EMAIL, proxy.groups_header: PROXY_GROUPS} if proxy else {})
    if proxy or _has_login_page():
        require_login()
    routes, while_serving = _api(public_url) if api else ([], nullcontext())
    is_warm = threading.Event()
    return App(
        Path(__file__).with_name("main.py"),
        routes=[*health_routes(pipeline, is_warm.is_set), *routes],
        middleware=[
            *([Middleware(TrustedProxy, proxy=proxy)] if proxy else []),
            Middleware(PageHeaders),
            Middleware(UploadsWhereOffered),
        ],
        lifespan=partial(_begin, while_serving, is_warm),
    )


def _api(public_url: str) -> tuple[list[BaseRoute], AbstractAsyncContextManager[None]]:
    """Return the API and the tools for agents, which share objects with the pages, and what they need to serve."""
    from app.access.callers import Callers
    from app.access.keys import KeyStore
    from app.access.rates import Rates

    with needs_extra("api", "serving programs and agents"):
        from app.api import web  # takes a second to import
        from app.api.agents import agents_over_http

    callers, rates = Callers(KeyStore(read_settings().home), access()), Rates()
    agents, while_serving = agents_over_http(pipeline, callers, rates)
    api = web.create_api(pipeline, feedback_store, callers, rates, public_url)
    return [Mount(web.PATH, api), agents], while_serving


def serve(
    host: str, port: int, *, api: bool = False, public_urls: Sequence[str] = (), without_login: bool = False
) -> None:
    """Serve until interrupted; port 0 picks a free one.

    public_urls: as in OwnSite; links in answers of the API lead to the first. without_login: allow other machines
    without a login. Raises CiteloopError if the port is taken or a login is missing.
    """
    site = OwnSite(host, port, tuple(public_urls))
    has_login = _check_login()
    if not (site.is_on_loopback or without_login or has_login):
        raise CiteloopError(
            f"--host {host} lets everybody on the network read and change everything, since no login is configured. "
            "Configure one ([auth] in .streamlit/secrets.toml, as for Streamlit's st.login, or [proxy] in "
            f"{FILE_NAME}); or omit --host and use a proxy with a login (--public-url); or pass --without-login"
        )
    if site.is_public and not has_login and not os.environ.get(_LOCK):
        os.environ[_LOCK] = "1"
    with _listening(host, port) as listener:
        site = replace(site, port=listener.getsockname()[1])
        print(f"Citeloop is starting on {site.url} (stop with Ctrl+C)", flush=True)
        if api:
            print(f"For programs: {site.url}/v1/openapi.json; for agents: {site.url}/mcp", flush=True)
            print("They need a key: citeloop keys add NAME", flush=True)
        if access().policy and not has_login:
            print(f"No login, so {FILE_NAME} does not act on the pages: everybody there is an admin", flush=True)
        print(_who_may_change_settings(has_login=has_login), flush=True)
        app = OwnSiteOnly(create_app(api=api, public_url=next(iter(site.public_urls), "")), site)
        write_log()  # after the libraries have made their own
        open_telemetry.start()
        config = uvicorn.Config(app, log_config=None, access_log=False, proxy_headers=False)  # see TrustedProxy
        uvicorn.Server(config).run(sockets=[listener])


def _check_login() -> bool:
    """Return whether somebody has to log in. Raises CiteloopError if it is not clear who may do what then."""
    policy, has_page = access().policy, _has_login_page()
    if has_page and policy is None:
        raise CiteloopError(
            f"a login is configured, but nothing says who may do what. Write {read_settings().home / FILE_NAME}, for "
            f"example:\n{EXAMPLE}"
        )
    if has_page and policy and policy.proxy:
        raise CiteloopError(f"there are two logins: [proxy] in {FILE_NAME} and [auth] in secrets.toml; remove one")
    return has_page or bool(policy and policy.proxy)


def _has_login_page() -> bool:
    """Return whether Streamlit's login is configured, which main.py enforces."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def _who_may_change_settings(*, has_login: bool) -> str:
    if read_settings().lock_settings:
        return f"Nobody can change the language model on the pages (to allow it: {_LOCK}=0)"
    if has_login:
        return f"Admins, as {FILE_NAME} names them, can change the language model"
    return f"Anyone who opens the pages can change the language model (to lock it: {_LOCK}=1)"


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Open a listening socket. Raises CiteloopError if the port is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # who follows the printed address early waits, rather than being refused
    except OSError as error:
        listener.close()
        raise CiteloopError(f"cannot listen on {host}:{port} ({error.strerror}); choose another --port") from error
    with listener:
        yield listener


@asynccontextmanager
async def _begin(
    while_serving: AbstractAsyncContextManager[None], is_warm: threading.Event, _app: App
) -> AsyncIterator[None]:
    """Load the models and resume killed jobs in the background; stop answers at the end."""
    stop = threading.Event()
    for work in (partial(_get_ready, is_warm), _keep_prepared, _follow_sources, _share):
        threading.Thread(target=work, args=[stop], daemon=True).start()
    async with while_serving:
        yield
    stop.set()
    await asyncio.to_thread(lambda: answerer().close())  # do not wait for the language model


def _get_ready(is_warm: threading.Event, stop: threading.Event) -> None:
    _resume_jobs()
    warm_up()
    is_warm.set()
    while not stop.wait(_RESUME_SECONDS):  # their process may be killed at any time
        _resume_jobs()


def _resume_jobs() -> None:
    for kind in (JobStore, TrainingJobStore, DownloadJobStore):
        try:
            kind(read_settings().home).resume()
        except (CiteloopError, OSError) as error:  # the pages will show it too
            logging.getLogger(__name__).warning("could not resume the jobs: %s", error)


def _follow_sources(stop: threading.Event) -> None:
    """Queue the syncs that are due, until the server stops."""
    while not stop.wait(_SOURCES_SECONDS):
        try:
            if not writer_elsewhere(read_settings().home):
                worker.queue_due(read_settings().home, read_settings().embedder)
        except (CiteloopError, OSError) as error:  # such as a full disk: the next round tries again
            logging.getLogger(__name__).warning("could not queue the syncs of sources: %s", error)


def _share(stop: threading.Event) -> None:
    """Copy what is newer to or from the shared folder, if there is one, until the server stops."""
    while not stop.wait(_LOOK_SECONDS):
        try:
            if done := share(read_settings().home):
                logging.getLogger(__name__).info("%s", done)
        except (CiteloopError, OSError) as error:  # the next round tries again
            logging.getLogger(__name__).warning("%s", error)


def _keep_prepared(stop: threading.Event) -> None:
    """Prepare the reranker for documents that are added or changed, until the server stops."""
    name = read_settings().reranker
    preparer = Preparer(
        lambda: pipeline().models.reranker(name),
        lambda: pipeline().table,
        lambda: pipeline().admission.wait_until_idle(),
    )
    while not stop.wait(_LOOK_SECONDS):
        with suppress(CiteloopError, sqlite3.Error):  # questions compute what is missing
            preparer.look()
