"""How many bytes `permessage-deflate` (RFC 7692) makes of messages, with and without the earlier ones."""

import zlib
from collections.abc import Iterable, Iterator

from lab.anatomy.deflate import TAIL

MEMORY_LEVEL = 8
"""zlib's own default, and Tornado's."""


def deflated(messages: Iterable[bytes], keeps_window: bool) -> Iterator[bytes]:
    """Each message as it stands in its frame, packed in turn.

    With `keeps_window` a message may refer back to those before it (RFC 7692 section 7.2.3.2); without, each
    is packed alone.
    """
    squeeze = _compressor()
    for message in messages:
        squeeze = squeeze if keeps_window else _compressor()
        yield (squeeze.compress(message) + squeeze.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def _compressor() -> "zlib._Compress":
    return zlib.compressobj(wbits=-zlib.MAX_WBITS, memLevel=MEMORY_LEVEL)
