"""So many `true` as bash apps of Parsl, in two threads."""

import sys

import parsl
from parsl.config import Config
from parsl.executors import ThreadPoolExecutor


@parsl.bash_app
def unit(number):  # type: ignore[no-untyped-def]
    return "true"


def main() -> None:
    units = int(sys.argv[1])
    with parsl.load(Config(executors=[ThreadPoolExecutor(max_threads=2)], run_dir="parsl", usage_tracking=0)):
        for future in [unit(number) for number in range(units)]:
            assert future.result() == 0


if __name__ == "__main__":
    main()
