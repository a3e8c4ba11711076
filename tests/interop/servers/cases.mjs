// What every server in JavaScript shares: the events that it is to send, and what becomes of each connection.
import { readFileSync } from "node:fs";

const [, , file, portWanted, isSecond] = process.argv;
export const cases = JSON.parse(readFileSync(file));
// Another may have it meanwhile, but then the test fails.
export const port = Number(portWanted);

export const listening = port => console.log(`listening on ${port}`);
export const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

let connections = 0;

// What this connection is for: "cases" and a cut, "unavailable", "resumed" and a restart, "again" after it.
export const next = () => isSecond ? "again" : ["cases", "unavailable", "resumed"][connections++];
