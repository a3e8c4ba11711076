// Shared by the servers in JavaScript: the events to send, and the purpose of each connection.
import { readFileSync } from "node:fs";

const [, , file, portWanted, isSecond] = process.argv;
export const cases = JSON.parse(readFileSync(file));
// 0 for any free port.
export const port = Number(portWanted);

export const listening = port => console.log(`listening on ${port}`);
export const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

let connections = 0;

// Returns the purpose of the next connection: "cases" and a cut, "unavailable", "resumed"; after a restart, "again".
export const next = () => isSecond ? "again" : ["cases", "unavailable", "resumed"][connections++];
