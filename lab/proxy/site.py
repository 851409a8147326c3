"""The lines of nginx.conf with which it serves users: addresses, TLS, limits, and who the client is."""

from dataclasses import dataclass

TEMPORARY = [f"  {name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
"""Where nginx keeps parts of long bodies, relative to its folder."""


@dataclass(frozen=True)
class Site:
    """How an nginx offers labs to users."""

    addresses: tuple[str, ...]
    """The addresses at which it listens, as in a URL."""
    certfile: str | None = None
    """The file of its certificate; with one it speaks https, and http only with the labs."""
    keyfile: str | None = None
    per_address: int = 0
    """Requests that one address may have open, because the labs see one address only; 0: no limit."""
    base: str = "/"
    """The path below which the labs are."""

    def logs(self) -> list[str]:
        """No line for each request: a class makes many, and they would hold its addresses."""
        zone = ["  limit_conn_zone $binary_remote_addr zone=address:1m;"] if self.per_address else []
        return ["  access_log off;", *TEMPORARY, *zone]

    def listens(self, port: int) -> list[str]:
        """Where it listens, with which certificate, and how many requests an address may have open."""
        secure = " ssl" if self.certfile else ""
        limit = [f"    limit_conn address {self.per_address};"] if self.per_address else []
        return [*(f"    listen {one}:{port}{secure};" for one in self.addresses), *self._tls(), *limit]

    def _tls(self) -> list[str]:
        if not self.certfile:
            return []
        key = self.keyfile or self.certfile
        return [f'    ssl_certificate "{self.certfile}";', f'    ssl_certificate_key "{key}";']

    def headers(self) -> list[str]:
        """The client's own address and scheme, which the labs cannot see; what a client sends is replaced."""
        fields = {
            "X-Real-IP": "$remote_addr",
            "X-Forwarded-For": "$remote_addr",
            "X-Forwarded-Proto": "$scheme",
        }
        return [f"      proxy_set_header {name} {value};" for name, value in fields.items()]
