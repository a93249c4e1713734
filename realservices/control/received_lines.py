"""Lines from a socket, one at a time, of a length that is bounded."""

from __future__ import annotations

from realservices.control.messages import MOST_LINE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket


def receive_line(connection: socket.socket, received: bytearray) -> bytes:
    """Return the next line, nothing where the connection ends before.

    Args:
        connection: It comes from there.
        received: What came before, and was not yet asked for; changed in place.

    Raises:
        OSError: The connection is broken.
        ValueError: The line does not end.
    """
    looked_at = 0
    while (end := received.find(b"\n", looked_at)) < 0:
        looked_at = len(received)
        if looked_at > MOST_LINE_BYTES:
            raise ValueError(f"an answer of more than {MOST_LINE_BYTES >> 20} MB without the end of a line")
        more = connection.recv(65536)
        if not more:
            return b""
        received += more
    line = bytes(received[:end])
    del received[: end + 1]
    return line
