"""Removing the directory of a run or job that is over, here and on the cluster that it ran on."""

from __future__ import annotations

import shutil
import sys

from trivet.records.directory import OwnedDirectory


def removed(directory: OwnedDirectory, keep_remote: bool) -> bool:
    """Remove it; False, with a word about it, when the cluster's part can't be removed: then all of it stays."""
    if (directory.path / "slurm").is_dir() and not keep_remote:
        from trivet.engines.slurm.commands import SlurmError
        from trivet.engines.slurm.remote.removing import place_of, remove

        try:
            remove(directory.path)
        except SlurmError as error:
            print(f"{place_of(directory.path)} can't be removed: {error}", file=sys.stderr)
            print("try again later, or leave it there: --keep-remote", file=sys.stderr)
            return False
    # Under another name first: a half-removed directory is never taken for a whole one.
    doomed = directory.path.rename(directory.path.with_name(f".{directory.id}.removed"))
    shutil.rmtree(doomed)
    return True
