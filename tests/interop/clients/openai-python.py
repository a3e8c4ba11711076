from openai import OpenAI

from report import URL, received

client = OpenAI(api_key="none", base_url=URL.removesuffix("/events") + "/v1")
messages = [{"role": "user", "content": "hello"}]
for model in ["line", "blank-line"]:
    try:
        for chunk in client.chat.completions.create(model=model, messages=messages, stream=True):
            for choice in chunk.choices:
                received("text", choice.delta.content)
        received("answered", model)
    except Exception as error:
        received("failed", type(error).__name__)
received("last", "")
