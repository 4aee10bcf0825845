"""A client in Python, but wrong, in the way that its first argument names."""

import socket
import sys

fault, requests = sys.argv[1], sys.argv[2:]


def ask(stream, request):
    text, request = request, request.encode()
    length = len(text) if fault == "counts-letters" else len(request)
    order = "little" if fault == "writes-the-lowest-first" else "big"
    if fault == "counts-the-length-itself":
        length += 4
    stream.sendall(length.to_bytes(4, order) + request)
    if fault == "takes-a-read-for-a-frame":
        frame = stream.recv(65540)
        if len(frame) < 4:
            sys.exit("no answer")
        return frame[4:]
    length = int.from_bytes(read(stream, 4), "big")
    if length > 65536 and fault != "trusts-the-length":
        sys.exit("the answer is too long")
    return read(stream, length)


def read(stream, count):
    if fault == "reads-once":
        piece = stream.recv(count) if count else b""
        if count and not piece:
            sys.exit("the server has ended")
        return piece
    pieces = b""
    while len(pieces) < count:
        piece = stream.recv(count - len(pieces))
        if not piece and fault == "takes-the-end-for-an-answer":
            return pieces
        if not piece and fault == "tries-again-at-the-end":
            continue
        if not piece:
            sys.exit("the server has ended")
        pieces += piece
    return pieces


stream = socket.socket(socket.AF_UNIX)
try:
    stream.connect("mysocket")
except OSError as error:
    sys.exit(f"cannot connect to mysocket: {error}")
for request in requests:
    print(ask(stream, request).decode(errors="replace"), flush=True)
