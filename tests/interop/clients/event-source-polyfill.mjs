import "/modules/event-source-polyfill/src/eventsource.js";
import { follow } from "./report.mjs";

follow(EventSourcePolyfill);
