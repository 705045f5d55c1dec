# SPDX-License-Identifier: Apache-2.0

"""Why a run has failed, without what Mistral puts around it. No I/O."""

import re

from trove_backup_schedule.i18n import _

# What Mistral says when it fails a run: mistral/engine/workflows.py.
_OUTPUT_FAILED = re.compile(
    r'Failed to evaluate expression in output-on-error! '
    r"\(output-on-error: .*?, exception: '(?P<exception>.*?)' "
    r"Cause: '(?P<cause>.*?)'?\Z",
    re.DOTALL,
)
_TASKS_FAILED = 'Failure caused by error in tasks: '
_TASK = re.compile(r'^  (\S+) \[task_ex_id=[^\n\]]*\] -> ', re.MULTILINE)
_ACTION = re.compile(
    r'^    \[(?:action|wf)_ex_id=[^\n\]]*, idx=[0-9]+\]: ', re.MULTILINE
)
_NO_REASON = frozenset({'None', 'One or more actions had failed.'})

# What it puts around a reason, the outermost first: its engine, and its
# default_executor.py. The end of a very long text is missing.
_WRAPPINGS = tuple(
    re.compile(form, re.DOTALL)
    for form in (
        (
            r'\AFailed to [a-z ]+ \[error=(?P<reason>.*?), (?:wf|action)='
            r'[^\n]*\]:\n.*'
        ),
        (
            r'\AFailed to check and complete \[[^\n\]]*\]: (?P<reason>.*?)'
            r'\nTraceback .*'
        ),
        (
            r'The action raised an exception \[action=.*?, action_ex_id=.*?, '
            r"msg='(?P<reason>.*?)(?:'\]\s*)?\Z"
        ),
        (
            r'Failed to (?:run|complete) action[^\[\n]*\[action[^\n]*\]\n\s*'
            r'(?P<reason>\S)'
        ),
        r'\b\w+Action(?:\.\w+)+ failed: (?P<reason>\S)',
    )
)
# Older releases put the data of the run behind the error.
_EXPRESSION_FAILED = re.compile(
    r'Can not evaluate \w+ expression \[(?>expression=.*?, '
    r'error=)(?P<reason>.*?)(?:, data=.*|\]\s*)\Z',
    re.DOTALL,
)
_TRACEBACK = re.compile(
    r'Traceback \(most recent call last\):(?:\n[ \t].*)*\s*(?:\w+\.)*'
)
_OBJECT = re.compile(r'<(?:\w+\.)*(\w+) object at 0x[0-9a-fA-F]+>')
_ADDRESS = re.compile(r' at 0x[0-9a-fA-F]+')


def plain(text: str) -> str:
    """Give the reason of a failure without what Mistral puts around it.

    :param text: what Mistral says of a run: the message that the workflow has
        failed with, or what has become of its tasks.
    :returns: one line. What is not known to be of Mistral stays, but for white
        space and the addresses of objects.
    """
    if failed := _OUTPUT_FAILED.match(text):
        cause = failed['cause']
        return plain(failed['exception'] if cause == 'None' else cause)
    parts = _TASK.split(text)[1:]
    if parts and text.startswith(_TASKS_FAILED):
        return '; '.join(
            _('Task %(task)s failed: %(reason)s')
            % {'task': task, 'reason': _task_reason(said)}
            for task, said in zip(parts[::2], parts[1::2], strict=True)
        )
    words = text
    for wrapping in _WRAPPINGS:
        words = wrapping.sub(lambda match: match['reason'] or match[0], words)
    if failed := _EXPRESSION_FAILED.match(words):
        words = _("An expression can't be evaluated: %(reason)s") % {
            'reason': failed['reason']
        }
    for form, rest in ((_TRACEBACK, ''), (_OBJECT, r'\1'), (_ADDRESS, '')):
        words = form.sub(rest, words)
    return ' '.join(words.split()) or ' '.join(text.split())


def _task_reason(text: str) -> str:
    """Give the reason that is told of a task, or of the last of its actions.

    Where an action was tried several times, all tell nearly the same.
    """
    first, *actions = (each.strip() for each in _ACTION.split(text))
    known = first not in _NO_REASON or not actions
    return plain(first if known else actions[-1])
