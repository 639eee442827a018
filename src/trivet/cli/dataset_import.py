"""``trivet dataset import``: a dataset from a file of the public server."""

from __future__ import annotations

import click


@click.command("import", epilog="Example: trivet dataset import screen.json --name screen-2")
@click.argument("file")
@click.option("--name", help="Its name here, if not the one in the file.")
@click.option("--zarr-dir", metavar="DIR", help="Where the images lie now, if the directory was moved.")
def command(*, file: str, name: str | None, zarr_dir: str | None) -> int:
    """Make a dataset from a file that the public server of Fractal, or `trivet dataset export`, has written.

    FILE may be - for stdin. No image may be listed twice, and all must lie below the dataset's directory. With
    --zarr-dir every URL below the old directory becomes one below the new.
    """
    from trivet.cli.dataset_files import content_of
    from trivet.cli.dataset_words import made, tell, url_of
    from trivet.datasets.exchange import relocated

    content, problems = content_of(file, name)
    tell(problems)
    made(content if zarr_dir is None else relocated(content, url_of(zarr_dir)), "dataset import")
    return 0
