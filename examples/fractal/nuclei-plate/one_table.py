"""Write the tables of all images of a plate as one: python one_table.py PLATE.zarr TABLE TABLE.csv"""

import csv
import json
import sys
from pathlib import Path


def one_table(plate: Path, name: str, target: Path) -> int:
    """Write the rows of the table ``name`` of every image, its well before them; how many there are."""
    rows: list[dict[str, str]] = []
    for well in json.loads((plate / ".zattrs").read_text())["plate"]["wells"]:
        for table in sorted((plate / well["path"]).glob(f"*/tables/{name}/table.csv")):
            with table.open(newline="") as file:
                rows += [{"well": well["path"].replace("/", ""), **row} for row in csv.DictReader(file)]
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["well"])
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python one_table.py PLATE.zarr TABLE TABLE.csv")
    print(f"{one_table(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))} rows in {sys.argv[3]}")
