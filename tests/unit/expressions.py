# SPDX-License-Identifier: Apache-2.0

"""Evaluates expressions and runs a workflow as Mistral does, without it.

Mistral's own parts are mistral/expressions/yaql_expression.py for a single
expression, and for a run mistral/engine/tasks.py, mistral/engine/policies.py
(``retry``) and mistral/workflow/direct_workflow.py (what follows a task).
Only as much of them is here as the packaged workbook makes use of.
"""

from collections.abc import Callable, Iterator, Mapping
import datetime
import functools
import re
from typing import Any

import yaql
from yaql.language import factory
from yaql.language import utils

Values = dict[str, Any]

#: Performs an action: takes its name and its input, and gives its result.
Act = Callable[[str, Values], Any]

#: What Mistral takes for an expression. It finds none with a line break in.
PATTERN = re.compile('<%(.*?)%>')

#: What Mistral would take for one in its other language.
OTHER_LANGUAGE = re.compile('{{|{%')

_TASK = frozenset(
    {
        'action',
        'concurrency',
        'input',
        'on-complete',
        'on-error',
        'on-success',
        'publish',
        'publish-on-error',
        'retry',
        'wait-before',
        'with-items',
    }
)

# The defaults of Mistral's options of the group yaql.
_ENGINE = factory.YaqlFactory(
    keyword_operator='=>', allow_delegates=False
).create(
    options={
        'yaql.limitIterators': -1,
        'yaql.memoryQuota': -1,
        'yaql.convertTuplesToLists': True,
        'yaql.convertSetsToLists': False,
        'yaql.iterableDicts': False,
        'yaql.convertOutputData': True,
    }
)
_ROOT = yaql.create_context()


class ActionError(Exception):
    """An action has failed; its text is the result that Mistral gives it."""


class Clock:
    """The present, which passes only when somebody waits.

    :ivar now: aware, in UTC.
    """

    def __init__(self, now: datetime.datetime) -> None:
        self.now = now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += datetime.timedelta(seconds=seconds)


@functools.cache
def parse(expression: str) -> Any:
    """Parse what stands between the signs of an expression.

    :raises yaql.language.exceptions.YaqlException: if Mistral would refuse it.
    """
    return _ENGINE(expression.strip())


def texts(data: object) -> Iterator[str]:
    """Give all texts in a part of a workbook, wherever they are."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, list):
        for each in data:
            yield from texts(each)
    elif isinstance(data, dict):
        yield from texts([*data, *data.values()])


def evaluate(
    data: Any,
    context: Values,
    *,
    now: datetime.datetime,
    result: Any = None,
    execution_id: str | None = None,
) -> Any:
    """Evaluate all expressions in a part of a workbook.

    :param context: the workflow's variables.
    :param now: aware; what ``now()`` gives.
    :param result: what ``task().result`` gives.
    :param execution_id: what ``execution().id`` gives.
    :raises Exception: whatever the evaluation ends with. It would be the end
        of Mistral's run.
    """
    scope = _ROOT.create_child_context()
    # These become what can't be changed, and a task's result does not.
    scope['$'] = utils.convert_input_data(context)
    scope.register_function(lambda: now, name='now')
    scope.register_function(lambda: {'result': result}, name='task')
    scope.register_function(lambda: {'id': execution_id}, name='execution')

    def value(expression: str) -> Any:
        return parse(expression).evaluate(context=scope.create_child_context())

    def inside(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: inside(each) for key, each in part.items()}
        if isinstance(part, list):
            return [inside(each) for each in part]
        if not isinstance(part, str):
            return part
        whole = PATTERN.match(part)
        if whole and whole.end() == len(part):
            return value(whole[1])
        return PATTERN.sub(lambda found: str(value(found[1])), part)

    return inside(data)


class Run:
    """One run of a workflow, from its start to its end.

    :ivar ends: names of the tasks that nothing followed.
    :ivar context: the variables at the end.
    :ivar failure: why it failed on purpose; None if it succeeded.
    :ivar output: the output of its success or of its failure.
    """

    def __init__(
        self,
        workflow: Mapping[str, Any],
        values: Values,
        act: Act,
        clock: Clock,
        *,
        start: str,
        execution_id: str,
    ) -> None:
        self.ends: list[str] = []
        self.failure: str | None = None
        defaults = [each for each in workflow['input'] if type(each) is dict]
        self.context: Values = {
            key: value for each in defaults for key, value in each.items()
        } | values
        self._tasks = workflow['tasks']
        self._act = act
        self._clock = clock
        self._execution_id = execution_id
        due = [start]
        while due:
            name = due.pop()
            followers = self._perform(name)
            due += followers
            if not followers:
                self.ends.append(name)
        self.output = self._evaluate(
            workflow['output' if self.failure is None else 'output-on-error']
        )

    def _evaluate(
        self, data: Any, context: Values | None = None, result: Any = None
    ) -> Any:
        return evaluate(
            data,
            self.context if context is None else context,
            now=self._clock.now,
            result=result,
            execution_id=self._execution_id,
        )

    def _perform(self, name: str) -> list[str]:
        """Run a task, and give the names of those that follow it."""
        task = self._tasks[name]
        if task.keys() - _TASK:
            raise NotImplementedError(f'{name}: {task.keys() - _TASK}')
        self._clock.wait(task.get('wait-before', 0))
        retry = task.get('retry', {'count': 0})
        for left in range(retry['count'], -1, -1):
            good, result = self._results(task)
            publish = task.get('publish' if good else 'publish-on-error', {})
            context = self.context | self._evaluate(publish, result=result)
            if not left:
                break
            # Mistral evaluates both each time, needed or not.
            go_on = self._evaluate(
                retry.get('continue-on', not good), context, result
            )
            stop = self._evaluate(retry['break-on'], context, result)
            if not go_on or (stop and not good):
                break
            self._clock.wait(retry['delay'])
        self.context = context
        clauses = task.get('on-success' if good else 'on-error', [])
        followers = list(self._followers(clauses, result))
        if not (good or followers):
            # What on-complete leads to does not count.
            self.failure = f'Failure caused by error in tasks: {name}'
        return [
            *followers,
            *self._followers(task.get('on-complete', []), result),
        ]

    def _results(self, task: Mapping[str, Any]) -> tuple[bool, Any]:
        """Perform a task's action, for each item if there are any."""
        if 'with-items' not in task:
            return self._result(task, {})
        name, _, items = task['with-items'].partition(' in ')
        results = [
            self._result(task, {name: item}) for item in self._evaluate(items)
        ]
        return all(good for good, _ in results), [each for _, each in results]

    def _result(
        self, task: Mapping[str, Any], item: Values
    ) -> tuple[bool, Any]:
        action, _, inline = task['action'].partition(' ')
        given: Any = task.get('input', {})
        if inline:
            key, _, value = inline.partition('=')
            given = {key: value}
        if action == 'std.noop':
            return True, None
        try:
            return True, self._act(
                action, self._evaluate(given, self.context | item)
            )
        except ActionError as exc:
            return False, str(exc)

    def _followers(
        self, clauses: list[str | dict[str, str]], result: Any
    ) -> Iterator[str]:
        for clause in clauses:
            pairs = clause if isinstance(clause, dict) else {clause: True}
            ((name, condition),) = pairs.items()
            if self._evaluate(condition, result=result):
                command, _, message = name.partition('(msg=')
                if command == 'fail':
                    self.failure = self._evaluate(message.removesuffix(')'))
                else:
                    yield name
