"""The base path: where a reverse proxy offers the lab, `/` or a path such as `/lab/`.

Some proxies pass the path on (nginx with `proxy_pass http://lab;`), others remove the base first (nginx with
`proxy_pass http://lab/;`, jupyter-server-proxy). The lab serves both: it removes the base where it is there.
"""

from tornado.httputil import HTTPServerRequest

from lab.settings import AUTO, PATH, Settings

LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1", "[::1]"}


def of(request: HTTPServerRequest, settings: Settings) -> str:
    """The base path of this request, with slashes at both ends.

    With `auto` it is the proxy's X-Forwarded-Prefix, or `/` when that is absent or no path.
    """
    if settings.base != AUTO:
        return settings.base
    path = request.headers.get("X-Forwarded-Prefix", "").rstrip("/") + "/"
    return path if PATH.fullmatch(path) else "/"


def proxied_url(request: HTTPServerRequest, settings: Settings) -> str | None:
    """The URL at which phones reach the lab through the proxy that sent this request.

    None when the proxy is not known (X-Forwarded-Prefix), or when it is on the user's own computer.
    """
    if settings.base != AUTO or "X-Forwarded-Prefix" not in request.headers:
        return None
    scheme = "https" if request.headers.get("X-Forwarded-Proto") == "https" else request.protocol
    url = f"{scheme}://{request.host}{of(request, settings)}"
    return None if request.host_name in LOOPBACK_NAMES else url


def without(base: str, path: str) -> str:
    """The path below the base; a path that is not below it stays as it is."""
    return path[len(base) - 1 :] or "/" if f"{path}/".startswith(base) else path
