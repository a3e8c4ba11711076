"""What every client in Python shares: it says what it has received, one JSON object a line."""

import json
import os
import signal
import sys
import time

URL = sys.argv[1]
last_event_id = ""


def received(event_type, data, id=None):
    """Says what came. The event of the type `last` is the last one."""
    global last_event_id
    if id is not None:
        last_event_id = id
    say({"type": event_type, "data": data, "id": last_event_id})
    if event_type == "last":
        end()


def failed(error):
    """Says that something went wrong, and ends."""
    say({"error": error if isinstance(error, str) else type(error).__name__})
    end()


def again(read, errors):
    """Reads with what comes back only if its caller asks again: `read` reads one response."""
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
    # Without what waits for connections that are open.
    os._exit(0)


signal.signal(signal.SIGALRM, lambda *_: failed("stuck"))
signal.alarm(60)
