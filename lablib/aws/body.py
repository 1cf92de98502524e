"""A body that is read as a stream, as S3 and Lambda answer with."""

from __future__ import annotations

import io
from collections.abc import Iterator


class Body(io.BytesIO):
    """`read()`, `iter_lines()`, `iter_chunks()`, as botocore's StreamingBody has them."""

    def iter_lines(self, chunk_size: int = 1024, keepends: bool = False) -> Iterator[bytes]:
        """The lines of what was not read yet. `chunk_size` makes no difference here."""
        yield from self.read().splitlines(keepends)

    def iter_chunks(self, chunk_size: int = 1024) -> Iterator[bytes]:
        """What was not read yet, `chunk_size` bytes at a time."""
        while chunk := self.read(chunk_size):
            yield chunk
