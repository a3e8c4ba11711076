from anthropic import Anthropic

from report import URL, received

client = Anthropic(api_key="none", base_url=URL.removesuffix("/events"))
messages = [{"role": "user", "content": "hello"}]
for model in ["line", "blank-line"]:
    try:
        for event in client.messages.create(model=model, messages=messages, max_tokens=9, stream=True):
            if event.type == "content_block_delta":
                received("text", event.delta.text)
        received("answered", model)
    except Exception as error:
        received("failed", type(error).__name__)
received("last", "")
