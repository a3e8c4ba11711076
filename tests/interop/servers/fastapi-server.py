import asyncio
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from cases import CASES, next_purpose, serve

app = FastAPI()


def purpose():
    purpose = next_purpose()
    if purpose == "unavailable":
        raise HTTPException(503)
    return purpose


@app.get("/events", response_class=EventSourceResponse)
async def events(request: Request, purpose: Annotated[str, Depends(purpose)]):
    if purpose == "cases":
        for case in CASES:
            # `data` would be sent as JSON.
            yield ServerSentEvent(
                raw_data=case["data"], event=case.get("type"), id=case.get("id"), retry=case.get("retry")
            )
        await asyncio.sleep(0.05)
        raise OSError("cut")
    yield ServerSentEvent(raw_data=request.headers.get("last-event-id"), event=purpose)
    # FastAPI's own keep-alives are 15 seconds apart.
    yield ServerSentEvent(comment="keep-alive")
    if purpose == "again":
        yield ServerSentEvent(raw_data="", event="last")
    await asyncio.sleep(1000)


serve(app)
