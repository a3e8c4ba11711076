import anyio
from mcp import Client

from report import URL, failed, received


async def main():
    logged = []

    async def log(params):
        logged.append(params.data)

    async def progress(progress, total, message):
        received("progress", f"{progress:g}")

    async with Client(URL, logging_callback=log) as client:
        received("server", client.server_info.name)
        for tool in (await client.list_tools()).tools:
            received("tool", tool.name)
        # The stream of what the server says unasked is opened by the client on its own.
        while not logged:
            await client.call_tool("count", {"to": 1})
        received("log", logged[0])
        # The connection is cut in the middle of this.
        answer = await client.call_tool("count", {"to": 5}, progress_callback=progress)
        received("result", answer.content[0].text)
    received("last", "")


try:
    anyio.run(main)
except Exception as error:
    failed(error)
