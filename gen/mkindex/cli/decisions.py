"""What the commands `yank`, `unyank` and `status` have in common."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from mkindex.cli.build import build_once, make_config
from mkindex.cli.options import given_options, governing_policy
from mkindex.cli.terminal import form_of_report
from mkindex.errors import DestinationError, MkindexError
from mkindex.text import printable

if TYPE_CHECKING:
    from mkindex.model.index import ProjectStatus

EXIT_STATUS = """Exit status: 0 done; 1 done, but files in DEST were damaged or missing, and are not listed any more;
2 usage error; 3 not done, DEST is as it was: a REQ or PROJECT matches nothing; 70 an unexpected error."""


def decide(
    ctx: click.Context,
    destination: str,
    options: Mapping[str, Any],
    *,
    requests: Sequence[str] = (),
    reason: str | None = None,
    project: str | None = None,
    status: "ProjectStatus | None" = None,
) -> int:
    """Yank the requested files (`reason` None: unyank them), or set the status of a project, and print the report."""
    from mkindex.build.deciding import decide_status, decide_yank

    text = reason if status is None else status.reason
    if text and not text.isprintable():
        raise click.UsageError("--reason must be printable text of one line", ctx)
    config = make_config(ctx, (), destination, options)
    config = config.replace(policy=governing_policy(ctx, destination))
    given = given_options(ctx)
    if project is None:
        decision = decide_yank(config, requests, reason, given)
    else:
        decision = decide_status(config, project, status, given)
    form = form_of_report(ctx, options["format"], json=options["json"])
    try:
        return build_once(
            config,
            form,
            decision.growth,
            before_commit=decision.write,
            quiet=options["quiet"],
            verbose=options["verbose"],
        )
    except MkindexError as error:
        if decision.edit and decision.edit.is_written:
            text = f"{printable(str(decision.edit.path))} has the change, so the next build publishes it"
            raise DestinationError(f"{error}. {text}") from error
        raise
