import anyio
from mcp import Client

from report import URL, failed, received


async def main():
    async with Client(URL.removesuffix("/events") + "/mcp") as client:
        for name in ["line", "blank-line"]:
            answer = await client.call_tool(name, {})
            for content in answer.content:
                received("text", content.text)
            received("answered", name)
        received("last", "")


try:
    anyio.run(main)
except Exception as error:
    failed(error)
