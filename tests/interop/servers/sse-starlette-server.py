import asyncio

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from cases import CASES, next_purpose, serve


async def events(request):
    purpose = next_purpose()
    if purpose == "unavailable":
        return Response(status_code=503)

    async def stream():
        if purpose == "cases":
            for case in CASES:
                yield ServerSentEvent(case["data"], event=case.get("type"), id=case.get("id"), retry=case.get("retry"))
            await asyncio.sleep(0.05)
            raise OSError("cut")
        yield ServerSentEvent(request.headers.get("last-event-id"), event=purpose)
        await asyncio.sleep(0.1)
        if purpose == "again":
            yield ServerSentEvent("", event="last")
        await asyncio.sleep(1000)

    return EventSourceResponse(stream(), ping=0.03)


serve(Starlette(routes=[Route("/events", events)]))
