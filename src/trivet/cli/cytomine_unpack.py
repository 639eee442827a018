"""`trivet cytomine unpack`: the files of a bundle."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def command(bundle: Path, directory: Path) -> int:
    """Take a bundle apart: its descriptor, the image's tar, the logo. The directory must be new or empty.

    \b
    Example:
      trivet cytomine unpack org.example.sums-1.0.0.zip sums/
    """
    from trivet.contracts.cytomine.packing import unpack

    try:
        for path in unpack(bundle, directory):
            print(path)
    except OSError as error:
        raise click.ClickException(f"{error.filename or directory} can't be written: {error.strerror}") from None
    return 0
