import { EventSource } from "launchdarkly-eventsource";
import { follow } from "./report.mjs";

// By default it gives up after an error status, as the standard says.
follow(EventSource, { initialRetryDelayMillis: 50, errorFilter: () => true });
