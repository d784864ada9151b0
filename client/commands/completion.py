"""The command `celeriac completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from client.commands.examples import examples

_VARIABLE = "_CELERIAC_COMPLETE"


@click.command(
    epilog=examples(
        'eval "$(celeriac completion bash)"',
        "celeriac completion bash > ~/.local/share/bash-completion/completions/celeriac",
        'eval "$(celeriac completion zsh)"',
        "celeriac completion fish > ~/.config/fish/completions/celeriac.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete the commands, their options and the names of the server's models.

    A shell that runs what is printed when it starts has it for good: the first and third example belong into ~/.bashrc
    and ~/.zshrc.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"This version of click completes nothing for {shell}.")
    click.echo(kind(ctx.find_root().command, {}, "celeriac", _VARIABLE).source())
