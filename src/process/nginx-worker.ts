/** The program that a worker of the nginx half runs. */
import { nginxKinds } from "./nginx-kinds.ts";
import { runWorker } from "./worker.ts";

runWorker(nginxKinds);
