/** The worker of `echo-nginx`. */
import { runWorker } from "../../src/process/worker.ts";
import { echoKind } from "./echo-kind.ts";

runWorker([echoKind]);
