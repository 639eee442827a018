"""So many `true` as tasks of doit, two at once."""

import sys

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain


def main() -> int:
    units = int(sys.argv[1])

    def task_unit():  # type: ignore[no-untyped-def]
        for number in range(units):
            yield {"name": str(number), "actions": [["true"]]}

    loader = ModuleTaskLoader({"task_unit": task_unit, "DOIT_CONFIG": {"verbosity": 0}})
    return DoitMain(loader).run(["run", "-n", "2", "-o", "doit.log"])


if __name__ == "__main__":
    sys.exit(main())
