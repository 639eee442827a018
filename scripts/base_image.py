"""Write a tar of a small root file system with this interpreter's Python, pip and busybox to standard output.

For machines that reach no registry of images: imported, it is a base for the images of the examples.
"""

from __future__ import annotations

import io
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pip

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
LEFT_OUT = {"__pycache__", "dist-packages", "ensurepip", "idlelib", "site-packages", "test", "tkinter", "turtledemo"}
USED_BY_WHEELS = r"lib(c|m|dl|rt|util|pthread|resolv|nss_dns|nss_files|gcc_s|stdc\+\+|gomp|z)\.so\.[0-9]+"
SYSTEM = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/")
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"


def main() -> None:
    python = Path(sys.executable).resolve()
    busybox = shutil.which("busybox")
    if busybox is None:
        sys.exit("busybox is needed for a shell (Debian: apt-get install busybox-static)")
    library = Path(sysconfig.get_path("stdlib"))
    modules = sorted((library / "lib-dynload").glob("*.so"))
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
        for name, mode in {
            "tmp": 0o1777,
            "var/tmp": 0o1777,
            "root": 0o700,
            "proc": 0o755,
            "sys": 0o755,
            "dev": 0o755,
        }.items():
            directory(tar, name, mode)
        tar.add(python, f"usr/local/bin/{VERSION}")
        for name in ("python", "python3"):
            link(tar, f"usr/local/bin/{name}", VERSION)
        tar.add(library, f"usr/local/lib/{VERSION}", filter=wanted)
        tar.add(Path(pip.__file__).parent, f"usr/local/lib/{VERSION}/pip", filter=wanted)
        for path in sorted(closure([python, *modules, Path(busybox)])):
            target = path if path.startswith(SYSTEM) else f"/usr/local/lib/{Path(path).name}"
            tar.add(Path(path).resolve(), target.lstrip("/"))
        tar.add(Path(busybox).resolve(), "bin/busybox")
        listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
        for name in listed:
            if name != "busybox":
                link(tar, f"bin/{name}", "busybox")
        link(tar, "usr/bin/env", "/bin/busybox")
        certificates = ssl.get_default_verify_paths().cafile or f"/{CERTIFICATES}"
        if Path(certificates).exists():
            tar.add(Path(certificates).resolve(), CERTIFICATES)
        if Path("/etc/pip.conf").exists():
            tar.add("/etc/pip.conf", "etc/pip.conf")
        text(tar, "etc/passwd", USERS)
        text(tar, "etc/group", GROUPS)


def closure(programs: Iterable[Path]) -> set[str]:
    """The shared libraries that programs name, and those which wheels from PyPI expect of a system."""
    found = set(in_cache())
    for program in programs:
        said = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
        found.update(re.findall(r"(/\S+) \(0x", said))
    return found


def in_cache() -> Iterator[str]:
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if ldconfig is None:
        return
    machine = sysconfig.get_config_var("MULTIARCH") or ""
    said = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout
    for name, path in re.findall(r"^\s*(\S+) .*=> (\S+)$", said, re.MULTILINE):
        if re.fullmatch(USED_BY_WHEELS, name) and machine in path:
            yield path


def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(member.name).name
    if name in LEFT_OUT or name.startswith("config-") or name.endswith(".a"):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def directory(tar: tarfile.TarFile, name: str, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    tar.addfile(info)


def link(tar: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
    tar.addfile(info)


def text(tar: tarfile.TarFile, name: str, content: str) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content.encode()))


if __name__ == "__main__":
    main()
