import asyncio

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventMessage, EventStore
from mcp_types import TextContent

from cases import CASES, serve


class Store(EventStore):
    """Keeps all messages, in order."""

    def __init__(self):
        self.events = []

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id, send_callback):
        number = int(last_event_id)
        wanted, _ = self.events[number - 1]
        for id, (stream_id, message) in enumerate(self.events[number:], number + 1):
            if stream_id == wanted and message is not None:
                await send_callback(EventMessage(message, str(id)))
        return wanted


server = MCPServer("interop")


@server.tool(structured_output=False)
async def texts(context: Context) -> list[TextContent]:
    # The client has to resume for the result.
    await context.close_sse_stream()
    await asyncio.sleep(0.05)
    return [TextContent(type="text", text=case["data"]) for case in CASES]


serve(server.streamable_http_app(event_store=Store(), retry_interval=50))
