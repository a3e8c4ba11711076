import { EventSource } from "undici";
import { follow } from "./report.mjs";

follow(EventSource);
