"""So many `true` as tasks of dask.distributed, on two workers of one thread."""

import subprocess
import sys

from distributed import Client, LocalCluster


def unit(number: int) -> int:
    return subprocess.run(["true"], check=False).returncode


def main() -> None:
    units = int(sys.argv[1])
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        assert sum(client.gather(client.map(unit, range(units), pure=False))) == 0


if __name__ == "__main__":
    main()
