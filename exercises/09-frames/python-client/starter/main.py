"""Sends the server each argument as a request, and prints the answers.

Your turn: write `ask`, which sends a request in a frame and returns what the
server's answer carries. It will be called many times.
"""

import socket
import sys

MAX_PAYLOAD = 64 * 1024


def ask(stream, request):
    """What the server answers to `request`; both are bytes."""
    raise NotImplementedError


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
