import httpx
from httpx_sse import SSEError, connect_sse

from report import URL, again, received

client = httpx.Client(timeout=60)


def read(headers):
    with connect_sse(client, "GET", URL, headers=headers) as source:
        for event in source.iter_sse():
            received(event.event, event.data, event.id)


again(read, (httpx.HTTPError, SSEError))
