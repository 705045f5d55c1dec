# SPDX-License-Identifier: Apache-2.0

"""Two cures for cliff's interactive mode.

cliff joins the arguments of a command with plain spaces before it splits them
again, so no quoted argument survives. And it answers to Tab with a list where
cmd2 wants ``Completions``, so there is a traceback instead of a completion.

Each cure looks at what cliff really does, and leaves alone what is right. Once
cliff is mended this module can go, together with the call of `install`.
"""

import shlex
from typing import Any

from cliff import interactive
import cmd2

from trove_backup_schedule.osc import completion


class InteractiveApp(interactive.InteractiveApp):
    """cliff's interactive mode with quoting and completion that work."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cliff_completer = completion.Completer(self.parent_app)

    def precmd(self, statement: cmd2.Statement | str) -> cmd2.Statement:
        """Give the command its arguments as they were quoted."""
        result = super().precmd(statement)
        if not isinstance(statement, cmd2.Statement):
            return result
        words = _words_of(statement)
        for count in range(1, len(words) + 1):
            if ' '.join(words[:count]) == result.command:
                if _split(result) != words[count:]:
                    arguments = shlex.join(words[count:])
                    result = cmd2.Statement.from_dict(
                        {**result.to_dict(), 'args': arguments}
                    )
                break
        return result

    # cliff's parameters are not those cmd2 declares, and ours are cliff's.
    def completedefault(  # type: ignore[override]
        self, text: str, line: str, begidx: int, endidx: int
    ) -> Any:
        """Complete the words, options and values of cliff's commands."""
        answer: Any = super().completedefault(text, line, begidx, endidx)
        if not hasattr(cmd2, 'Completions'):
            # This cmd2 is an old one, and wants the list that cliff gives.
            return answer
        if isinstance(answer, cmd2.Completions) and answer:
            return answer
        typed = _words_before(line[:begidx])
        if typed is None:
            return cmd2.Completions()
        words = self._cliff_completer.words(typed, text)
        return cmd2.Completions(
            [
                cmd2.CompletionItem(word, display_meta=hint)
                for word, hint in words.items()
            ],
            is_sorted=True,
        )

    def _get_commands_aliases_and_macros_choices(self) -> 'cmd2.Choices':
        """Offer the first words of cliff's commands besides cmd2's own."""
        choices = super()._get_commands_aliases_and_macros_choices()
        known = set(choices.to_strings())
        more = self._cliff_completer.words([], '').keys() - known
        return cmd2.Choices([*choices, *map(cmd2.CompletionItem, more)])


def _split(line: str) -> list[str] | None:
    """Split a line into words, or not if a quotation mark is left open."""
    try:
        return shlex.split(line)
    except ValueError:
        return None


def _words_of(statement: cmd2.Statement) -> list[str]:
    """Split a statement into the command and its arguments.

    cmd2 takes no notice of a quotation mark inside a word, be it escaped or
    not, and so it changes what is between two of them. If nothing but words
    was typed it is better to start again from that.
    """
    if not statement.post_command:
        words = _split(statement.raw)
        if words and words[0] == statement.command:
            return words
    return [statement.command, *shlex.split(statement)]


def _words_before(head: str) -> list[str] | None:
    """Split what is typed before the word that is being completed.

    There is nothing to complete where that word goes on from a quoted or
    escaped beginning: cmd2 would quote it a second time.
    """
    words = _split(head)
    if words is None:
        # cmd2 points behind the quotation mark that opens the word.
        head = head[:-1]
        words = _split(head)
    alone = not head or (head[-1].isspace() and not head.endswith('\\ '))
    return words if alone else None


def install() -> None:
    """Make cliff's shells use the mended interactive mode."""
    if not issubclass(interactive.InteractiveApp, InteractiveApp):
        vars(interactive)['InteractiveApp'] = InteractiveApp
