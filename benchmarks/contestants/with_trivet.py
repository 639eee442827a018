"""So many `true` as one run of Trivet, by its public interface; prints where the run is recorded."""

import json
import sys
from pathlib import Path

import trivet


def main() -> None:
    units, home = int(sys.argv[1]), Path(sys.argv[2])
    task = trivet.command(["true"], inputs={"item": {"type": "integer"}})
    call = trivet.call(task, {"item": list(range(units))}, each="item")
    run = trivet.run(call, home=home, slots=2)
    result = run.result
    assert result is not None
    assert result.state == "FINISHED", result
    print(json.dumps(str(run.directory.path)))


if __name__ == "__main__":
    main()
