/** An origin on a thread of its own: node accepts one connection in a turn of its loop, which clients beside it would make long. */
import { parentPort } from "node:worker_threads";
import { Origin } from "./origin.ts";

const origin = await Origin.listen();
parentPort?.postMessage(origin.address);
