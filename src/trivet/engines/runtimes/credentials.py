"""What a daemon is told so that it may pull an image."""

from __future__ import annotations

import base64
import json

from trivet.images import references
from trivet.images.credentials import stored_login
from trivet.tasks.work import Login


def registry_auth(reference: str, login: Login | None = None) -> dict[str, str]:
    """The header that lets the daemon pull ``reference``; empty when nobody logged in to its registry.

    ``login`` counts before what `docker login` left, if it is for this registry: no other ever gets it.
    """
    try:
        host = references.parse(reference).host
    except ValueError:
        return {}
    if login is None or references.host_of(login.server) != host:
        login = stored_login(host)
    if login is None:
        return {}
    words = {"username": login.username, "password": login.password, "serveraddress": login.server}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(words).encode()).decode()}
