# SPDX-License-Identifier: Apache-2.0


import hypothesis
from hypothesis import strategies as st

from tests.unit import base
from tests.unit import fakes
from trove_backup_schedule import reasons

# The words of services, and how Mistral has them in its own.
BUSY = (
    f'Instance {fakes.INSTANCE} is not currently available for an action to '
    'be performed (instance status was BACKUP). (HTTP 422)'
)
QUOTA = "Quota exceeded for resources: ['backups']. (HTTP 413)"
NO_TRUST = (
    'Could not find trust: 33a8483096d6431eba4d98e7b3e78aa7. (HTTP 404) '
    '(Request-ID: req-947c4ef7-f4f6-45f4-828d-00c2330be235)'
)
PAUSED = "Paused by 'pause-before'"
ACTION = (
    'action=<mistral_lib.actions.providers.python.TroveAction object at '
    f'0x7f575c439b50>, action_ex_id={base.uid(8)}'
)
TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/mistral/engine/task_handler.py", line 83, in run_task
    task.run(first_run)
  File "/opt/mistral/engine/tasks.py", line 602, in run
    self._run_new()
    ^^^^^^^^^^^^^^^
"""


def raised(words: str, action: str = 'TroveAction.backups.create') -> str:
    """Give what Mistral says when an action has raised an exception."""
    return (
        f"The action raised an exception [{ACTION}, msg='{action} failed: "
        f"{words}']"
    )


def of_tasks(*tasks: tuple[str, str, tuple[str, ...]]) -> str:
    """Give what Mistral says when tasks and their actions have failed."""
    text = 'Failure caused by error in tasks: '
    text += ', '.join(name for name, _said, _actions in tasks) + '\n'
    for name, said, actions in tasks:
        text += f'\n  {name} [task_ex_id={base.uid(7)}] -> {said}\n'
        for number, each in enumerate(actions):
            text += f'    [action_ex_id={base.uid(8)}, idx={number}]: {each}\n'
    return text


WRAPPED = raised(BUSY)


class TestPlain(base.TestCase):
    def test_the_words_of_the_workflow_stay(self) -> None:
        for text in (
            'The backup ended as FAILED.',
            f'The backup could not be started. {QUOTA}',
            (
                f'The backup {base.uid(1)} was started, but it is not known '
                f'how it ended. {NO_TRUST}'
            ),
            'Failed to find the task [x=1]',
            '[ERROR] <% $.x %> (0x7f)',
            'Failure caused by error in tasks:',
        ):
            with self.case(text):
                self.assertEqual(text, reasons.plain(text))

    def test_what_is_not_known_stays_in_one_line(self) -> None:
        for text, expected in (
            ('  a\n\tb  c\n', 'a b c'),
            (
                "Wrong input [action=<a.b.Noop object at 0x7fAb>, x='1']",
                "Wrong input [action=Noop, x='1']",
            ),
            ('<function run at 0x7f00> is no action', '<function run> is no '),
            (
                (
                    'Request to run an action was redelivered, but it cannot '
                    'be re-run safely. The only safe thing to do is fail it '
                    '[action=<mistral.actions.std_actions.NoOpAction object '
                    'at 0x7f575c439b50>].'
                ),
                'The only safe thing to do is fail it [action=NoOpAction].',
            ),
            (f'It broke:\n{TRACEBACK}', 'It broke:'),
            (f'{TRACEBACK}mistral.exceptions.Bad: no\n', 'Bad: no'),
            (TRACEBACK, 'Traceback (most recent call last): File'),
        ):
            with self.case(text):
                self.assertIn(expected, reasons.plain(text))

    def test_an_action_has_failed(self) -> None:
        for words in (BUSY, QUOTA, NO_TRUST, "it's [odd] 'x'"):
            for text, before in (
                (raised(words), ''),
                (f'Trove refused it: {raised(words)}', 'Trove refused it: '),
                # The end of a very long text is missing.
                (raised(words).removesuffix("']"), ''),
                (
                    (
                        'Failed to complete action due to a Mistral exception '
                        f'[{ACTION}]\n {words}'
                    ),
                    '',
                ),
                (
                    (
                        f'Failed to run action [action_ex_id={base.uid(8)}, '
                        "action_cls='<class 'mistral.actions.action_factory."
                        "TroveAction'>', attributes='{'client_method_name': "
                        "'backups.create'}', params='{'name': 'x'}']\n "
                        f'TroveAction.backups.create failed: {words}'
                    ),
                    '',
                ),
            ):
                with self.case(text):
                    self.assertEqual(before + words, reasons.plain(text))

    def test_an_exception_without_words(self) -> None:
        for text, expected in (
            (
                f"The action raised an exception [{ACTION}, msg='']",
                (
                    'The action raised an exception [action=TroveAction, '
                    f"action_ex_id={base.uid(8)}, msg='']"
                ),
            ),
            (raised(''), 'TroveAction.backups.create failed:'),
            (
                f'Failed to complete action due to x [{ACTION}]\n ',
                (
                    'Failed to complete action due to x [action=TroveAction, '
                    f'action_ex_id={base.uid(8)}]'
                ),
            ),
        ):
            with self.case(text):
                self.assertEqual(expected, reasons.plain(text))

    def test_tasks_have_failed(self) -> None:
        several = 'One or more actions had failed.'
        retried = (raised('Busy 1'), raised('Busy 2'))
        for tasks, expected in (
            (
                [('backup_create', WRAPPED, (WRAPPED,))],
                f'Task backup_create failed: {BUSY}',
            ),
            (
                [
                    (
                        'replaced_delete',
                        several,
                        (raised(NO_TRUST, 'MistralAction.cron_triggers.x'),),
                    )
                ],
                f'Task replaced_delete failed: {NO_TRUST}',
            ),
            ([('a', several, retried)], 'Task a failed: Busy 2'),
            ([('a', 'None', retried)], 'Task a failed: Busy 2'),
            ([('a', several, ())], f'Task a failed: {several}'),
            (
                [('a', 'Task timed out [timeout(s)=3].', ()), ('b', 'x', ())],
                (
                    'Task a failed: Task timed out [timeout(s)=3].; Task b '
                    'failed: x'
                ),
            ),
        ):
            with self.case(tasks):
                self.assertEqual(expected, reasons.plain(of_tasks(*tasks)))

    def test_mistral_itself_has_failed(self) -> None:
        evaluation = 'Can not evaluate YAQL expression [expression=$.x.y, '
        error = 'Unknown function "#property#y" [here]'
        plain = f"An expression can't be evaluated: {error}"
        for text, expected in (
            (f'{evaluation}error={error}]', plain),
            (f"{evaluation}error={error}, data={{'a': 1}}]", plain),
            (
                (
                    f'Failed to handle action completion [error={evaluation}'
                    f'error={error}], wf=trove.backup_create, task=begin, '
                    f'action=std.noop]:\n{TRACEBACK}mistral.Bad: {evaluation}'
                ),
                plain,
            ),
            (
                (
                    'Failed to run task [error=Wrong input: <% dict([\n [a]\n'
                    f']) %>, wf=trove.backup_create, task=begin]:\n{TRACEBACK}'
                ),
                'Wrong input: <% dict([ [a] ]) %>',
            ),
            (
                (
                    'Failed to complete action [error=Too long, '
                    f'action=std.noop, task=begin]:\n{TRACEBACK}'
                ),
                'Too long',
            ),
            (
                (
                    f'Failed to check and complete [wf_ex_id={base.uid(1)}, '
                    f'wf_name=x]: {evaluation}error={error}]\n{TRACEBACK}'
                ),
                plain,
            ),
        ):
            with self.case(text):
                self.assertEqual(expected, reasons.plain(text))
            for exception, cause in (('It is odd', text), (text, 'None')):
                with self.case(text, exception):
                    self.assertEqual(
                        expected,
                        reasons.plain(
                            'Failed to evaluate expression in output-on-error'
                            "! (output-on-error: '{'x': '<% $.x %>'}', "
                            f"exception: '{exception}' Cause: '{cause}'"
                        ),
                    )

    @base.STEADY
    @hypothesis.given(
        st.lists(
            st.one_of(
                st.sampled_from(
                    (
                        *('Failed to run task [error=', ', wf=x', ']:\n'),
                        *(WRAPPED[:140], "']", BUSY, TRACEBACK, ' ', '\n'),
                        *("exception: '", "' Cause: '", "'"),
                        of_tasks(('a', 'b', ('c',))),
                        f'Failed to run action [{ACTION}]\n',
                        'Can not evaluate YAQL expression [expression=',
                        *(', error=', ', data=', 'Failed to evaluate '),
                    )
                ),
                st.text(max_size=5),
            ),
            min_size=1,
            max_size=9,
        )
    )
    def test_there_is_always_one_line(self, parts: list[str]) -> None:
        text = ''.join(parts)
        plain = reasons.plain(text)
        self.assertEqual(bool(text.split()), bool(plain))
        self.assertEqual(' '.join(plain.split()), plain)
