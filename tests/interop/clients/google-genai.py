import sys

from google import genai
from google.genai.types import HttpOptions, HttpRetryOptions

from report import URL, received

options = HttpOptions(
    base_url=URL.removesuffix("/events"),
    # By default it never retries.
    retry_options=HttpRetryOptions(attempts=3, initial_delay=0.1),
)
client = genai.Client(api_key="none", http_options=options)
for model in sys.argv[2:] or ["line", "blank-line"]:
    try:
        for answer in client.models.generate_content_stream(model=model, contents="hello"):
            # The start of the stream and keep-alives have no candidates.
            if answer.candidates:
                received("text", answer.text)
        received("answered", model)
    except Exception as error:
        received("failed", type(error).__name__)
received("last", "")
