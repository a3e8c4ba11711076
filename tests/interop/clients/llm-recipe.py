from openai import APIError, OpenAI

from report import URL, received

client = OpenAI(api_key="a token", base_url=URL, max_retries=0)


def read(content):
    stream = client.chat.completions.create(
        model="echo",
        messages=[{"role": "user", "content": content}],
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        for choice in chunk.choices:
            if choice.delta.content:
                received("text", choice.delta.content)
            if choice.finish_reason:
                received("finish", choice.finish_reason)
        if chunk.usage:
            received("usage", str(chunk.usage.total_tokens))


read("think of one two")
try:
    read("one fail two")
except APIError as error:
    received("failed", error.message)
received("last", "")
