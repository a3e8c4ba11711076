import { follow } from "./report.mjs";

follow(EventSource);
