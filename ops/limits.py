"""When single faults add up to one that is not about single items."""

from collections import Counter
from collections.abc import Sequence

import dagster as dg

from affectory.refusals import Refusal


def stop_above(share: float, refusals: Sequence[Refusal], total: int, what: str) -> None:
    """Raise dg.Failure, which is not retried, when more than `share` of the `total` items were refused."""
    if len(refusals) > share * total:
        common = Counter(refusal.reason for refusal in refusals).most_common(1)[0][0]
        raise dg.Failure(
            f"{len(refusals)} of {total} {what} were refused, more than max_refused_share {share:.0%}; most often "
            f"{common}, for example: {refusals[0].detail}",
            allow_retries=False,
        )
