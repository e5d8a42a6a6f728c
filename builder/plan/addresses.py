"""The content addresses of cases: the digest of what each would ask, and how long that is."""

from array import array

import numpy as np
from numpy.typing import NDArray

from builder import limits
from builder.errors import InputError
from builder.plan.cases import Cases
from builder.plan.planned import CHUNK, Planned, ScenarioPlan
from builder.project import prompts
from builder.records import canonical, message_bytes, request_digest


def addressed(
    scenario: ScenarioPlan, index: NDArray[np.int64], occurrence: NDArray[np.int32]
) -> Cases:
    """These cases with the digests and sizes of their requests, repeats not yet numbered; those are
    left out that the rows of its sources do not make."""
    digests, sizes, made = bytearray(), array("i"), array("q")
    render = scenario.scenario.prompt.render
    plain = scenario.feed is None and scenario.asks
    with limits.alarm() as alarm:
        for start in range(0, len(index), CHUNK):
            chunk = slice(start, start + CHUNK)
            for number, planned in enumerate(
                scenario.tried(index[chunk], occurrence[chunk]), start
            ):
                if planned is None:
                    continue
                alarm(prompts.LIMIT)  # begins anew for each rendering
                if plain:
                    content: bytes | None = message_bytes(render(planned.case.variables))
                else:
                    content = _content(scenario, planned)
                if content is not None:
                    digests += request_digest(planned.asked.head, content)
                    sizes.append(len(content))
                    made.append(number)
            alarm(0)
    if len(made) < len(index):
        rows = np.frombuffer(made, np.int64)
        index, occurrence = index[rows], occurrence[rows]
    lengths = np.array(sizes, np.int32)
    return Cases(index, occurrence, np.frombuffer(digests, "V16"), np.zeros_like(lengths), lengths)


def _content(scenario: ScenarioPlan, planned: Planned) -> bytes | None:
    """What the digest of a case is over: its messages, or, where nobody is asked, what fills it.

    None where the template cannot render a row that a model wrote.
    """
    variables, feed = planned.case.variables, scenario.feed
    if not scenario.asks:
        return canonical({name: variables[name] for name in scenario.scenario.words.fill})
    try:
        return message_bytes(planned.prompt.render(variables))
    except InputError as error:
        if feed is None:
            raise
        if scenario.counting:
            feed.leave_out("it cannot be rendered", planned.case.source, str(error))
        return None
