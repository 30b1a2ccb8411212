"""The window in which the serving benchmark behind most rows of ``data/measurements.csv`` measured.

It opens when the first batch is full and closes when all but one batch of requests has finished.  With few requests
for each place in the batch that window is shorter than an answer, so the contexts in it are shorter than in a service
that runs for ever.  The columns `window_context_tokens` and `output_tokens_per_prompt` were made with it.
"""

import heapq

import numpy as np


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
