"""Sends a part, reads the answer to it, and so on: with one thread."""

import socket
import sys

# It must fit into the kernel's buffers while nobody reads: into that of our
# direction, because the server may be waiting until we read, and into the
# other one, because we read nothing before the part is sent. Linux keeps some
# 200 kB each way, macOS 8.
PART = 4096

count = int(sys.argv[1])
stream = socket.socket(socket.AF_UNIX)
stream.connect("mysocket")
came = 0
while came < count:
    part = min(PART, count - came)
    stream.sendall(b"x" * part)
    while part > 0:
        answer = stream.recv(part)
        if not answer:
            sys.exit(f"the server hung up after {came} of {count} bytes")
        part -= len(answer)
        came += len(answer)
stream.shutdown(socket.SHUT_WR)
print(came)
