import { EventSource } from "eventsource";
import { follow } from "./report.mjs";

follow(EventSource);
