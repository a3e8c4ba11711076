"""Shared by the servers in Python: the events to send, and the purpose of each connection."""

import json
import socket
import sys

import uvicorn

FILE, PORT, *AGAIN = sys.argv[1:]
CASES = json.load(open(FILE))
purposes = iter(["cases", "unavailable", "resumed"])


def next_purpose():
    """Returns the purpose of the next connection: "cases" and a cut, "unavailable", "resumed"; after a restart, "again"."""
    return "again" if AGAIN else next(purposes)


def serve(app):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(PORT)))
    listener.listen()
    print("listening on", listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run([listener])
