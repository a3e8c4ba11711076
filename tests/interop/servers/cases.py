"""What every server in Python shares: the events that it is to send, and what becomes of each connection."""

import json
import socket
import sys

import uvicorn

FILE, PORT, *AGAIN = sys.argv[1:]
CASES = json.load(open(FILE))
purposes = iter(["cases", "unavailable", "resumed"])


def next_purpose():
    """What this connection is for: "cases" and a cut, "unavailable", "resumed" and a restart, "again" after it."""
    return "again" if AGAIN else next(purposes)


def serve(app):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(PORT)))
    listener.listen()
    print("listening on", listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run([listener])
