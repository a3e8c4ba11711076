import requests
from sseclient import SSEClient

from report import URL, again, received


def read(headers):
    response = requests.get(URL, headers=headers, stream=True, timeout=60)
    response.raise_for_status()
    for event in SSEClient(response).events():
        received(event.event, event.data, event.id)


again(read, requests.RequestException)
