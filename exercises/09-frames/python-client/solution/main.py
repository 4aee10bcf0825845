"""Sends the server each argument as a request, and prints the answers."""

import socket
import sys

MAX_PAYLOAD = 64 * 1024


def ask(stream, request):
    """What the server answers to `request`; both are bytes."""
    if len(request) > MAX_PAYLOAD:
        sys.exit("the request is too long for a frame")
    stream.sendall(len(request).to_bytes(4, "big") + request)
    length = int.from_bytes(read_exactly(stream, 4), "big")
    if length > MAX_PAYLOAD:
        sys.exit(f"the server announces {length} bytes, which is too much")
    return read_exactly(stream, length)


def read_exactly(stream, count):
    """So many bytes: a `recv` brings what is there, which may be fewer."""
    pieces = []
    while count > 0:
        piece = stream.recv(count)
        if not piece:
            sys.exit("the server ended before its answer was complete")
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def main():
    stream = socket.socket(socket.AF_UNIX)
    try:
        stream.connect("mysocket")
    except OSError as error:
        sys.exit(f"cannot connect to mysocket: {error}")
    for request in sys.argv[1:]:
        answer = ask(stream, request.encode())
        print(answer.decode(errors="replace"), flush=True)


main()
