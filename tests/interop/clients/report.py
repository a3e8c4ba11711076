"""Shared by the clients in Python. They print what they receive, one JSON object per line."""

import json
import os
import signal
import sys
import time

URL = sys.argv[1]
last_event_id = ""


def received(event_type, data, id=None):
    """Reports an event. One of the type `last` ends the client."""
    global last_event_id
    if id is not None:
        last_event_id = id
    say({"type": event_type, "data": data, "id": last_event_id})
    if event_type == "last":
        end()


def failed(error):
    """Reports an error, and ends the client."""
    say({"error": error if isinstance(error, str) else type(error).__name__})
    end()


def again(read, errors):
    """Reconnects for a library that does not: calls `read` for one response after the other."""
    while True:
        try:
            read({"Last-Event-ID": last_event_id} if last_event_id else {})
        except errors:
            pass  # Cut.
        time.sleep(0.05)


def say(line):
    print(json.dumps(line), flush=True)


def end():
    sys.stdout.flush()
    # Does not wait for open connections.
    os._exit(0)


signal.signal(signal.SIGALRM, lambda *_: failed("stuck"))
signal.alarm(60)
