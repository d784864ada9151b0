"""`REDIS_URL` taken apart: what redis-py and kombu both understand. Pure.

One URL serves two libraries that read it differently, so neither reads it itself. Where they differ (redis-py 8.1
`connection.parse_url`, kombu 5.7 `utils/url.py`, `connection.py`): kombu takes no options but `ssl_…` and leaves a
`rediss://` without any of them unverified; redis-py passes over a database that is no number, and knows no
`sentinel://`, whose database and password kombu takes from the address that it happens to use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from tasks.errors import SettingsError

_PORTS = {"redis": 6379, "rediss": 6379, "sentinel": 26379}

#: Options of `rediss://`. The first has the values of Python's `ssl.CERT_…`.
_CERT_REQS = "ssl_cert_reqs"
_CHECK_HOSTNAME = "ssl_check_hostname"
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")

Tls = Mapping[str, str | bool]


@dataclass(frozen=True)
class RedisUrl:
    """Where Redis is. `addresses` are those of the sentinels for `sentinel`, else the server's; host and port.

    `tls` is what redis-py and kombu's `broker_use_ssl` both take; None without TLS.
    """

    scheme: str
    addresses: tuple[tuple[str, int], ...]
    database: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None

    @property
    def has_sentinels(self) -> bool:
        """Whether sentinels are to be asked for the server's address."""
        return self.scheme == "sentinel"

    def for_celery(self) -> str:
        """The URL as kombu reads it right: each sentinel with credentials and database, TLS with its options."""
        user, password = quote(self.username or "", safe=""), quote(self.password or "", safe="")
        credentials = f"{user}:{password}@" if user or password else ""
        query = "?" + urlencode({name: str(value).lower() for name, value in self.tls.items()}) if self.tls else ""
        hosts = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.addresses]
        return ";".join(f"{self.scheme}://{credentials}{host}/{self.database}{query}" for host in hosts)


def parse_redis_url(text: str) -> RedisUrl:
    """Take a URL apart.

    Raises:
        SettingsError: it is not one of the forms that are taken. The sentence repeats nothing of it: there may be a
            password anywhere in a URL that was put together wrong.
    """
    try:
        return _parse(text)
    except ValueError as error:
        raise SettingsError(
            "REDIS_URL is expected as redis://HOST:PORT/DB, rediss://HOST:PORT/DB for TLS, or "
            f"sentinel://HOST:PORT;sentinel://HOST:PORT/DB. {error}"
        ) from None


def _parse(text: str) -> RedisUrl:
    parts = [_split(part) for part in text.split(";")]
    scheme = parts[0].scheme
    if scheme not in _PORTS or "://" not in text:
        raise ValueError("It begins otherwise.")
    if len(parts) > 1 and {part.scheme for part in parts} != {"sentinel"}:
        raise ValueError("Only sentinels can be several, each with sentinel:// before it.")
    return RedisUrl(
        scheme=scheme,
        addresses=tuple((unquote(part.hostname or "localhost"), _port(part)) for part in parts),
        database=int(_only({_database(part) for part in parts}, "databases") or 0),
        username=_only({unquote(part.username or "") for part in parts}, "users"),
        password=_only({unquote(part.password or "") for part in parts}, "passwords"),
        tls=_tls(parts[0]),
    )


def _split(text: str) -> SplitResult:
    try:
        part = urlsplit(text)
    except ValueError:
        raise ValueError("Its host is none.") from None
    if part.fragment:
        raise ValueError("A # in it is to be written as %23.")
    return part


def _port(part: SplitResult) -> int:
    try:
        port = part.port
    except ValueError:
        raise ValueError("Its port is no number from 0 to 65535.") from None
    return _PORTS[part.scheme] if port is None else port


def _database(part: SplitResult) -> str:
    database = part.path.strip("/")
    if database and not (database.isascii() and database.isdigit()):
        raise ValueError("Its database, after the last slash, is no number.")
    return database


def _only(values: set[str], what: str) -> str | None:
    """The one value that is given, however often; None when none is."""
    given = values - {""}
    if len(given) > 1:
        raise ValueError(f"Its sentinels name different {what}; they lead to the same server.")
    return given.pop() if given else None


def _tls(part: SplitResult) -> Tls | None:
    options: dict[str, str | bool] = dict(parse_qsl(part.query, keep_blank_values=True))
    taken = (_CERT_REQS, _CHECK_HOSTNAME, *_FILES) if part.scheme == "rediss" else ()
    if not options.keys() <= set(taken):
        raise ValueError(f"Of options it takes {', '.join(taken) or 'none; rediss:// has some'}.")
    if part.scheme != "rediss":
        return None
    wanted = str(options.get(_CERT_REQS, "required")).lower().removeprefix("cert_")
    if wanted not in ("required", "optional", "none"):
        raise ValueError(f"{_CERT_REQS} is expected as required, optional or none.")
    if _CHECK_HOSTNAME in options:
        checked = str(options[_CHECK_HOSTNAME]).lower()
        if checked not in ("true", "false"):
            raise ValueError(f"{_CHECK_HOSTNAME} is expected as true or false.")
        options[_CHECK_HOSTNAME] = checked == "true"
    return options | {_CERT_REQS: wanted}
