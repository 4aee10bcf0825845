"""The client that hangs: it sends everything, and then reads the answer.

Mend it: send a part, read a part. One thread is enough.
"""

import socket
import sys

count = int(sys.argv[1])
stream = socket.socket(socket.AF_UNIX)
stream.connect("mysocket")
stream.sendall(b"x" * count)
stream.shutdown(socket.SHUT_WR)
print(sum(len(part) for part in iter(lambda: stream.recv(65536), b"")))
