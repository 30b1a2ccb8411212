"""Measured runs of ``data/measurements.csv`` and ``data/validation.csv``.

The serving benchmark behind most rows measures between the moment its first
batch is full and the moment all but one batch of requests has finished.  With
few requests for each place in the batch that window is shorter than an answer,
so the contexts in it are shorter than in a service that runs for ever.
"""

import heapq

import numpy as np

from llmpower.facts import catalog

TEXT = ("id", "source", "published_model", "model", "weight_format", "accelerator", "software", "task", "anomaly")
EXTRA_TEXT = ("where", "verified", "lacks")


def measurements(table="measurements.csv"):
    """Measured runs, one list or array a column.

    Parameters
    ----------
    table : str
        ``"measurements.csv"``, or ``"validation.csv"`` for the runs no constant was fitted to.

    Returns
    -------
    columns : dict
        Lists of text, NumPy arrays of numbers; NaN where the source has none.

    Raises
    ------
    FactError
        If a number is not one.

    Examples
    --------
    >>> runs = measurements()
    >>> round(float(runs["j_per_token"][runs["id"].index("mlenergy_v3-0010")]), 3)
    6.028
    """
    rows = list(catalog._rows(table, None))
    columns = {}
    for name in rows[0][1]:
        if name in TEXT + EXTRA_TEXT:
            columns[name] = [row[name] for _, row in rows]
        else:
            cells = [catalog._Cell(table, line, row).number(name, empty=True) for line, row in rows]
            columns[name] = np.array([np.nan if cell is None else cell for cell in cells])
    return columns


def serving_window(batch, n_requests, output_tokens, stationary_context, prompt_tokens, chunk_tokens=8192, seed=0):
    """Mean generated context and output tokens for each prompt inside the measured window.

    All requests wait at the start; the window opens when `batch` of them run and
    closes when all but ``batch + 1`` have finished.  Answer lengths follow a gamma
    distribution with the published mean and spread.

    Parameters
    ----------
    batch : int
        Requests that run at once.
    n_requests : int
        Requests of the whole run.
    output_tokens, stationary_context : float
        Mean length of an answer and its mean square over twice the mean.
    prompt_tokens : float
        Mean length of a prompt.
    chunk_tokens : int
        Prompt tokens that one step can take in.
    seed : int
        Of the drawn lengths.

    Returns
    -------
    context, per_prompt : float
        Tokens generated so far in a running request; tokens generated for each prompt taken in.

    Examples
    --------
    With many requests the window is as good as endless; with few it sees only young requests.

    >>> context, _ = serving_window(8, 8000, 1000, 1000, 200)
    >>> 900 < context < 1100
    True
    >>> context, per_prompt = serving_window(1024, 1188, 1775, 1310, 224)
    >>> context < 400 and per_prompt > 3000
    True
    """
    random = np.random.default_rng(seed)
    spread = 2 * stationary_context / output_tokens - 1
    totals = np.zeros(3)
    for _ in range(max(1, 8000 // n_requests)):
        lengths = random.gamma(1 / spread, output_tokens * spread, n_requests)
        begin = np.empty(n_requests)
        begin[:batch] = np.arange(batch) * prompt_tokens / chunk_tokens
        running = list(begin[:batch] + lengths[:batch])
        heapq.heapify(running)
        started = batch
        for _ in range(n_requests - batch - 1):
            closes = heapq.heappop(running)
            if started < n_requests:
                begin[started] = closes + 1
                heapq.heappush(running, begin[started] + lengths[started])
                started += 1
        begin, lengths, opens = begin[:started], lengths[:started], begin[batch - 1]
        first, last = np.maximum(begin, opens), np.minimum(begin + lengths, closes)
        tokens = np.maximum(last - first, 0)
        totals += tokens.sum(), (tokens * ((first + last) / 2 - begin)).sum(), (begin > opens).sum()
    return float(totals[1] / totals[0]), float(totals[0] / totals[2])
