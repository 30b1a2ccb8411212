"""The operating point of a step: how a network is laid out over boards and servers, its drafts, the limit of a step."""

import math
from types import SimpleNamespace

from llmpower.formulas import serving
from llmpower.formulas.elementwise import maximum, minimum, positive
from llmpower.step import served
from llmpower.step.case import usual as usual_fact

_USUAL = {
    "parallelism": "tp", "stages": 1.0, "spread": 0.0, "queues": 1.0, "queue_spread": 0.0, "inside_share": 1.0,
    "between_share": 0.0, "network_bytes_per_s": math.inf, "draft_tokens": 0.0, "accepted_tokens": 0.0,
    "max_step_tokens": math.inf, "resident_share": 1.0, "host_bandwidth_bytes_per_s": 0.0,
}  # fmt: skip


def usual(**changes):
    """An operating point of one server without drafts or limits, and what differs from it, as `served.step` takes it.

    `stages`: parts that layers are cut into; `spread`: the `served.normal_maximum` of boards with experts of their own,
    0 where all share them; `queues` of sequences, and the same maximum of these, `queue_spread`; `inside_share` of a
    sum that is formed inside a server, nothing where it has one board; `between_share` of what boards send that leaves
    their server, and the rate `network_bytes_per_s` there; `resident_share` of the weights that lie beside the
    processors, the others in memory of `host_bandwidth_bytes_per_s`. Numbers may be arrays.
    """
    return SimpleNamespace(**{**_USUAL, **changes})


def point(case):
    """Operating point of a case."""
    n, way = case.n_accelerators, case.parallelism
    tried = serving.tokens_tried(case.batch, case.draft_tokens)
    # A server that is set up for so many sequences leaves their prompts as much room, unless it is told otherwise.
    told = case.max_step_tokens - usual_fact("max_step_tokens")
    return usual(
        parallelism=way,
        stages=n if way == "pp" else 1.0,
        # Where sequences are spread too, copies of popular experts are taken to keep boards alike.
        spread=served.normal_maxima(n) if way == "ep" else 0.0,
        queues=n if way == "dp" else 1.0,
        queue_spread=served.normal_maxima(n) if way == "dp" else 0.0,
        between_share=_away(way, n, case.accelerators_per_server),
        inside_share=minimum(case.accelerators_per_server - 1, 1.0),
        network_bytes_per_s=case.network_bytes_per_s,
        draft_tokens=case.draft_tokens,
        accepted_tokens=case.accepted_tokens,
        max_step_tokens=maximum(case.max_step_tokens, tried + positive(told * told, 1.0, tried)),
    )


def _away(way, n, each):
    """Share of what boards send that leaves their server; with sums, what they send there over what they send inside.

    A sum is formed inside each server first; then each board sends its part of it between them, out and back.
    """
    if way == "pp":
        return serving.passed_share(n, each)
    away = serving.between_share(n, each)
    return away if way == "dp" else serving.summed_share(away, each)
