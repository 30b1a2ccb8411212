"""Every network on every accelerator at every batch: what is expected, and the best of it."""

from dataclasses import dataclass, replace

import numpy as np

import llmpower
from llmpower.arguments import ParameterError
from llmpower.estimate import expect, held, usual_lengths
from llmpower.facts import catalog

# More accelerators together would be several servers.
_MOST = 8


@dataclass(frozen=True)
class Point:
    """A copy of a network at work; speeds in tokens a second, energy in joules a token."""

    model: str
    accelerator: str
    n_accelerators: int
    batch: float
    tokens_per_s_per_user: float
    tokens_per_j: float


def everywhere(batches, category="datacenter", **asked):
    """Points of every network on every accelerator of a category, on the fewest up to eight that hold it at batch 1.

    batches: an array; those that do not fit are left out. asked: other arguments of `llmpower.case`; lengths are those
    of a usual plan unless they are given.

    What the estimator refuses is left out. Central values, whose ranges are those of `llmpower.estimate`.
    """
    machines = [name for name in catalog.names("accelerator") if catalog.accelerator(name).category == category]
    for model in catalog.names("model"):
        for machine in machines:
            try:
                case = held(llmpower.case(model, machine, n_accelerators=1, batch=1, **usual_lengths() | asked))
            except ParameterError:
                continue
            if case is None or case.n_accelerators > _MOST:
                continue
            found = expect(replace(case, batch=np.asarray(batches, float)))
            for batch, speed, joules in zip(found.batch, found.tokens_per_s, found.j_per_token):
                if joules == joules:
                    yield Point(model, machine, int(case.n_accelerators), float(batch), speed / batch, 1 / joules)


def frontier(points):
    """Points that no other one beats in both, speed of a user and tokens a joule; from the fastest to the thriftiest.

    >>> one = lambda speed, thrift: Point("", "", 1, 1.0, speed, thrift)
    >>> [point.tokens_per_j for point in frontier([one(1, 9), one(3, 2), one(2, 1), one(2, 5)])]
    [2, 5, 9]
    """
    best = []
    for point in sorted(points, key=lambda one: (-one.tokens_per_s_per_user, -one.tokens_per_j)):
        if not best or point.tokens_per_j > best[-1].tokens_per_j:
            best.append(point)
    return best


def spreads(points, *same):
    """Most over least tokens a joule of points that have some attributes in common, of each group of more than five."""
    groups = {}
    for point in points:
        groups.setdefault(tuple(getattr(point, name) for name in same), []).append(point.tokens_per_j)
    return [max(group) / min(group) for group in groups.values() if len(group) > 5]
