"""The commands ``backup`` and ``restore``: all that cannot be made anew, in one file, and back."""

from collections.abc import Callable
from pathlib import Path

import click

from jobs.settings import load_settings

_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command("backup")
@_file
@click.option("--check", is_flag=True, help="Only say whether FILE is whole; nothing is written.")
def backup(file: Path, check: bool) -> None:
    """Write all data into FILE while everything runs, or --check a backup."""
    import os

    from jobs.backup import back_up, check_backup

    if check:
        found = check_backup(file, _progress())
        click.echo(
            f"{file} is whole: made at {found['made_at']} by version {found['product']}, "
            f"{found['database']} at revision {found['revision']}, {len(found['files'])} files."
        )
        return
    os.nice(10)  # calls come first
    back_up(load_settings(), file, _progress())
    click.echo(f"{file} holds whole numbers and the site's secrets: keep it where nobody else reads it.")


@click.command("restore")
@_file
def restore(file: Path) -> None:
    """Bring back what the backup FILE holds. The service must be stopped; the present data are put aside."""
    import logging

    from jobs.restore import restore as bring_back

    logging.getLogger("jobs.notify").disabled = True  # Redis stands as all else does, and nobody is to be told
    done = bring_back(load_settings(), file, _progress())
    if done.finished:
        click.echo("A restore had been broken off and is finished now; restore again if you want another backup.")
    for sentence in done.said:
        click.echo(sentence)


def _progress() -> Callable[[str, int, int], None]:
    """Prints how far it is, a line for each tenth."""
    words = {"check": "checking", "database": "the database", "files": "files"}
    told: tuple[str, int] = ("", -1)

    def tell(what: str, done: int, whole: int) -> None:
        nonlocal told
        tenth = 10 * done // whole if whole else 10
        if (what, tenth) != told:
            told = (what, tenth)
            click.echo(f"{words[what]} … {10 * tenth} %", err=True)

    return tell
