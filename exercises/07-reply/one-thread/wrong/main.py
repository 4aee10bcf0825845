"""Sends a part, reads a part, but wrong, in the way that an argument names."""

import os
import socket
import sys
import threading

if sys.argv[1].isdigit():
    count, fault = int(sys.argv[1]), sys.argv[2]
else:
    fault, count = sys.argv[1], int(sys.argv[2])
PART = 1_000_000 if fault == "sends-parts-that-do-not-fit" else 4096

stream = socket.socket(socket.AF_UNIX)
stream.connect("mysocket")
came = 0


def read():
    global came
    while part := stream.recv(65536):
        came += len(part)


if fault == "has-two-threads":
    reader = threading.Thread(target=read)
    reader.start()
    stream.sendall(b"x" * count)
    stream.shutdown(socket.SHUT_WR)
    reader.join()
    if came < count:
        sys.exit("the answer is not complete")
elif fault == "has-two-processes":
    if os.fork() == 0:
        stream.sendall(b"x" * count)
        stream.shutdown(socket.SHUT_WR)
        os._exit(0)
    read()
    if came < count:
        sys.exit("the answer is not complete")
else:
    sent = 0
    while sent < count:
        part = min(PART, count - sent)
        stream.sendall(b"x" * part)
        sent += part
        answer = b"x"
        while part > 0 and answer:
            answer = stream.recv(part)
            part -= len(answer)
            came += len(answer)
            if fault == "reads-once-for-each-part":
                break
        if not answer and fault == "takes-the-end-for-an-answer":
            came = count
            break
        if not answer:
            sys.exit("the server has hung up")
    if fault != "does-not-half-close":
        stream.shutdown(socket.SHUT_WR)
    if fault == "does-not-half-close":
        read()
print(came)
