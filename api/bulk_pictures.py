"""The pictures of a form as the items of a bulk request. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from api.bulk_item import Item, items_of
from api.validation import Input, check_job_pictures
from model_store.signature import Signature


def cut_pictures(files: Sequence[bytes], signature: Signature, rows_per_job: int, max_pixels: int) -> Iterator[Item]:
    """Pictures, some to a job; of those that have too many pixels together each job gets fewer.

    Args:
        files: encoded, at least one.
        signature: of the model.
        rows_per_job: the last job may have fewer.
        max_pixels: of one picture, and of all pictures of one job.
    """

    def check(some: Sequence[bytes]) -> Input:
        return check_job_pictures(some, max_pixels, signature)

    for first in range(0, len(files), rows_per_job):
        some = files[first : first + rows_per_job]
        yield from items_of(first, some, check, is_divisible=signature.fixed_rows in (None, 1))
