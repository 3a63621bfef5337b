"""Where model servers are, and what they call the weights of each head.

``http://127.0.0.1:8000#name`` is a server and the name of a model that it serves, which then answers every
head. Heads may have models of their own, as where adapters are served side by side::

    http://127.0.0.1:8000#table=tables-7,molecule=molecules-3
    http://127.0.0.1:8000#mixed,table=tables-7

Several servers, as where each serves the merged weights of one head, are separated by spaces::

    http://127.0.0.1:8000#table=tables-7 http://127.0.0.1:8001#molecule=molecules-3

A comma or equals sign in a name is written as %2C or %3D. Nothing is looked up and nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from docai.environment import KEY_VARIABLE
from docai.errors import SettingError
from docai.models.heads import HEADS, get_head

_SCHEMES: Final = ("http://", "https://")

_FORM: Final = "write http://HOST:PORT#NAME with the name of a model that it serves"


@dataclass(frozen=True)
class ServerAddress:
    """A server, and the model that it is asked for each head. Made by :func:`parse_servers`."""

    url: str
    """Scheme, host, port and path, without ``/v1``."""
    default: str | None
    """Name of the model of the heads that ``by_head`` does not name; None: there are no others."""
    by_head: Mapping[str, str] = field(hash=False)

    @property
    def place(self) -> str:
        """Host and port, as records name them."""
        return urlsplit(self.url).netloc

    @property
    def name(self) -> str:
        """``NAME@HOST:PORT``, with the names of all models."""
        pairs = [f"{head}={name}" for head, name in sorted(self.by_head.items())]
        return f"{','.join([self.default, *pairs] if self.default else pairs)}@{self.place}"

    def model_of(self, head: str) -> str | None:
        """The server's name for the model of a head; None where it has none."""
        return self.by_head.get(head, self.default)


@dataclass(frozen=True)
class Servers:
    """One server or several. Made by :func:`parse_servers`."""

    addresses: tuple[ServerAddress, ...]

    @property
    def name(self) -> str:
        """The names of all of them."""
        return " ".join(address.name for address in self.addresses)

    def heads(self) -> dict[str, float | None]:
        """The heads that have a model, each with its measured accuracy: of a server nobody knows it."""
        return dict.fromkeys(head for head in HEADS if self.address_of(head) is not None)

    def address_of(self, head: str) -> ServerAddress | None:
        """The server that answers a head; None: none does. One that names the head goes first."""
        by_name = (address for address in self.addresses if head in address.by_head)
        by_default = (address for address in self.addresses if address.default is not None)
        return next(by_name, next(by_default, None))

    def model_of(self, head: str) -> str | None:
        """The name of the model of a head on its server; None where it has none."""
        address = self.address_of(head)
        return None if address is None else address.model_of(head)


def is_server(model: object) -> bool:
    """Whether a model is named by the address of a server."""
    return isinstance(model, str) and model.lower().startswith(_SCHEMES)


def parse_servers(model: str) -> Servers:
    """The addresses in ``model``.

    Raises:
        SettingError: one is no address of a server with the name of a model, or holds a password; or two
            are to answer the same head.
        UnknownHeadError: one names a head that does not exist.
    """
    addresses = tuple(_parse(address) for address in model.split())
    heads = [head for address in addresses for head in address.by_head]
    if twice := sorted(head for head in set(heads) if heads.count(head) > 1):
        raise SettingError(f"Two servers are given for the head {twice[0]!r}: leave one out.")
    if sum(address.default is not None for address in addresses) > 1:
        raise SettingError("Two servers are given for all heads: name the heads, #HEAD=NAME, of all but one.")
    return Servers(addresses)


def _parse(model: str) -> ServerAddress:
    parts = _split(model)
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    default: str | None = None
    by_head: dict[str, str] = {}
    for entry in filter(None, parts.fragment.split(",")):
        before, equals, after = (unquote(part).strip() for part in entry.partition("="))
        if equals and before and after:
            by_head[get_head(before).name] = after
        elif not equals and before and default is None:
            default = before
        else:
            raise SettingError(f"The models of the server are given as {parts.fragment!r}; {_FORM}.")
    if default is None and not by_head:
        raise SettingError(f"The server {parts.scheme}://{parts.netloc} is given without a model; {_FORM}.")
    return ServerAddress(urlunsplit((parts.scheme, parts.netloc, path, "", "")), default, by_head)


def _split(model: str) -> Any:
    """The parts of the URL, checked. No message repeats what may be a password."""
    if not model.isprintable():
        raise SettingError(f"The address of the server has control characters; {_FORM}.")
    if not is_server(model):
        raise SettingError(f"An address of a server has a space in it, or begins with no http://; {_FORM}.")
    try:
        parts = urlsplit(model)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_complete = False
    if not is_complete:
        raise SettingError(f"The address of the server has no host, or a port that there is not; {_FORM}.")
    if "@" in parts.netloc:
        raise SettingError(
            "The address of the server holds a user or password, which would end up in records: give a key "
            f"in the environment, as {KEY_VARIABLE}."
        )
    if parts.query:
        raise SettingError(f"The address of the server has a query (?…), which is not sent; {_FORM}.")
    return parts
