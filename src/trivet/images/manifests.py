"""Choosing among the images of an index (OCI Image Format, Image Index; Docker, manifest list)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trivet.images.opening import OtherPlatformError


def listed(index: Any) -> list[Mapping[str, Any]]:
    """The descriptors in an index that may be images; attestations are passed over."""
    listed = index.get("manifests") if isinstance(index, dict) else None
    return [
        item
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, dict) and "vnd.docker.reference.type" not in (item.get("annotations") or {})
    ]


def this_platform() -> str:
    """What this machine runs in containers: ``linux/amd64`` and the like."""
    import platform

    return "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def for_this_machine(descriptors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The only descriptor, or the one for this machine's platform. Raises OtherPlatformError when there is none."""
    if len(descriptors) == 1:
        return descriptors[0]
    machine = this_platform()
    stated = [
        f"{(one.get('platform') or {}).get('os')}/{(one.get('platform') or {}).get('architecture')}"
        for one in descriptors
    ]
    fitting = [one for one, there in zip(descriptors, stated, strict=True) if there == machine]
    if fitting:
        return fitting[0]
    raise OtherPlatformError(f"has no image for {machine}, only {', '.join(stated) or 'none'}")
