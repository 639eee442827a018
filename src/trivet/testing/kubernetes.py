"""A client of a Kubernetes API server for tests: only what they ask."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml


class KubernetesApi:
    """The API server that a kubeconfig's only cluster and user name."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        [cluster], [user] = config["clusters"], config["users"]
        self._server = cluster["cluster"]["server"]
        self._context = ssl.create_default_context(cafile=cluster["cluster"]["certificate-authority"])
        self._context.load_cert_chain(user["user"]["client-certificate"], user["user"]["client-key"])

    def create(self, document: dict[str, Any], dry_run: bool = False) -> tuple[int, dict[str, Any]]:
        """Ask for a new object; the status of the answer (201: made) and the answer. ``dry_run``: look only."""
        namespace = document["metadata"].get("namespace")
        place = f"namespaces/{namespace}/" if namespace else ""
        url = f"{self._server}/api/v1/{place}{document['kind'].lower()}s{'?dryRun=All' if dry_run else ''}"
        request = urllib.request.Request(  # noqa: S310 (a server of the tests)
            url, data=json.dumps(document).encode(), headers={"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=30) as response:  # noqa: S310
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def make_namespace(self, name: str) -> None:
        """A namespace that takes pods; nothing happens where it is there."""
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        # Elsewhere a controller makes the account; without it the server takes no pod.
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        self.create(account)
