"""Talking to a registry: tokens, redirections, and what its refusals mean (OCI Distribution Specification)."""

from __future__ import annotations

import base64
import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from trivet.images import references
from trivet.images.opening import ImageError
from trivet.tasks.work import Login

TIMEOUT = 30.0
"""Seconds without a word after which a registry counts as silent."""

_ANSWER_LIMIT = 4 * 2**20
_HUB_API = "registry-1.docker.io"
_PARAMETER = re.compile(r'([A-Za-z_]+)=(?:"([^"]*)"|([^\s",]+))')


class RegistryError(ImageError):
    """A registry that can't be read, or must not be trusted; the message names the image."""


class SilentRegistryError(RegistryError):
    """A registry that says nothing of the image now, but may later: out of reach, or overburdened."""


class Client:
    """One image's repository. ``login`` None: nobody in particular; it is shown only to the registry itself and to
    the service that the registry names for its tokens.
    """

    def __init__(self, reference: str, login: Login | None = None) -> None:
        """Raises RegistryError for what is no reference."""
        try:
            self.at = references.parse(reference)
        except ValueError as error:
            raise RegistryError(f"{reference}: {error}") from None
        self.reference = reference
        self._login = login
        self._authorization = ""
        local = references.is_loopback(self.at.host)
        host = _HUB_API if self.at.host == references.HUB else self.at.host
        self._base = f"{'http' if local else 'https'}://{host}/v2/{self.at.name}/"
        proxies = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(_Redirects(), *proxies)

    @contextmanager
    def get(self, what: str, accept: Sequence[str] = ()) -> Iterator[Any]:
        """The registry's answer, to be read inside the block; the login is shown when the registry asks for one.

        To be used, as all that is read, inside of `told`.
        """
        try:
            response = self._open(what, accept)
        except urllib.error.HTTPError as error:
            authorization = (
                self._authorize(error.headers.get_all("WWW-Authenticate") or []) if error.code == 401 else ""
            )
            if not authorization:
                raise
            error.close()
            self._authorization = authorization
            response = self._open(what, accept)
        with response:
            yield response

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turns whatever goes wrong inside into a RegistryError that says what to do."""
        try:
            yield
        except RegistryError:
            raise
        except ImageError as error:
            raise RegistryError(f"{self.reference}: {error}") from None
        except urllib.error.HTTPError as error:
            kind = SilentRegistryError if error.code == 429 or error.code >= 500 else RegistryError
            raise kind(f"{self.reference}: {self._refusal(error)}") from None
        except (OSError, http.client.HTTPException) as error:
            raise SilentRegistryError(f"{self.reference}: {self._broken(error)}") from None
        except Exception as error:  # a layer is a stranger's bytes, and every decoder has errors of its own
            raise RegistryError(f"{self.reference}: the registry's answer can't be read ({error})") from None

    def _open(self, what: str, accept: Sequence[str]) -> Any:
        request = urllib.request.Request(urljoin(self._base, what))  # noqa: S310 (http or https, see __init__)
        request.add_header("User-Agent", "trivet")
        if accept:
            request.add_header("Accept", ", ".join(accept))
        if self._authorization:
            request.add_unredirected_header("Authorization", self._authorization)
        return self._opener.open(request, timeout=TIMEOUT)

    def _authorize(self, challenges: Sequence[str]) -> str:
        """What to show, as the registry's challenges want it; empty when there is nothing to show."""
        for challenge in challenges:
            scheme, _, rest = challenge.strip().partition(" ")
            if scheme.lower() == "bearer":
                words = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
                return f"Bearer {self._token(words)}"
            if scheme.lower() == "basic" and self._login is not None:
                return self._basic(self._login)
        return ""

    def _token(self, words: Mapping[str, str]) -> str:
        realm = words.get("realm", "")
        parts = urlsplit(realm)
        if parts.scheme != "https" and not (parts.scheme == "http" and self._base.startswith("http:")):
            raise ImageError(f"the registry wants the login to be shown at {realm!r}, which is not safe")
        scope = words.get("scope") or f"repository:{self.at.name}:pull"
        query = {"service": words["service"], "scope": scope} if "service" in words else {"scope": scope}
        url = f"{realm}{'&' if parts.query else '?'}{urlencode(query)}"
        request = urllib.request.Request(url, headers={"User-Agent": "trivet"})  # noqa: S310 (looked at above)
        if self._login is not None:
            request.add_unredirected_header("Authorization", self._basic(self._login))
        with self._opener.open(request, timeout=TIMEOUT) as response:
            answer = json_object(response.read(_ANSWER_LIMIT))
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or not token.isprintable():
            raise ImageError(f"{parts.netloc} gave no token")
        return token

    @staticmethod
    def _basic(login: Login) -> str:
        return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode()

    def _refusal(self, error: urllib.error.HTTPError) -> str:
        host, said = self.at.host, _said(error)
        if error.code in (401, 403):
            if self._login is None:
                return f"{host} wants a login{said}: `docker login {host}`, or name the registry's user in the task"
            return f"{host} refuses the user {self._login.username!r}{said}"
        if error.code == 404:
            return f"{host} has no image {self.at.name} {self.at.version}{said}"
        if error.code == 429:
            return f"{host} has had too many requests from here{said}: log in, or try again later"
        return f"{host} answers {error.code} {error.reason}{said}"

    def _broken(self, error: BaseException) -> str:
        import ssl

        host = self.at.host
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"{host} can't prove who it is: {reason.verify_message} (SSL_CERT_FILE may name its authority)"
        if isinstance(reason, ssl.SSLError):
            return f"{host} does not speak TLS as it should: {reason.reason or reason}"
        if isinstance(reason, TimeoutError):
            return f"{host} did not answer within {TIMEOUT:g} s"
        if isinstance(reason, http.client.HTTPException):
            return f"the answer of {host} broke off ({type(reason).__name__})"
        return f"{host} can't be reached: {getattr(reason, 'strerror', None) or reason}"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a registry to where it keeps its layers; the login goes nowhere else."""

    def redirect_request(
        self, request: urllib.request.Request, file: Any, code: int, message: str, headers: Any, url: str
    ) -> urllib.request.Request | None:
        before, after = urlsplit(request.full_url), urlsplit(url)
        if before.scheme == "https" and after.scheme != "https":
            raise ImageError(f"the registry leads to {after.scheme}://{after.netloc}, which is not safe")
        followed = super().redirect_request(request, file, code, message, headers, url)
        if followed is not None and (before.scheme, before.netloc) == (after.scheme, after.netloc):
            authorization = request.unredirected_hdrs.get("Authorization")
            if authorization:
                followed.add_unredirected_header("Authorization", authorization)
        return followed


def json_object(text: bytes) -> dict[str, Any]:
    """The JSON object in an answer. Raises ImageError when it is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise ImageError("the registry's answer is not the JSON that was asked for")
    return data


def _said(error: urllib.error.HTTPError) -> str:
    """The registry's own words of a refusal, in brackets."""
    try:
        words = json.loads(error.read(65536))["errors"][0]["message"]
    except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException):
        return ""
    text = "".join(letter for letter in str(words) if letter.isprintable())[:200]
    return f" ({text})" if text else ""
