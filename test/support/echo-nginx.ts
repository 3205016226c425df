/** `bin/nginx` with the echo service instead of http. */
import { fileURLToPath } from "node:url";
import { runNginx } from "../../src/cli/nginx.ts";
import { echoKind } from "./echo-kind.ts";

const workerProgram = fileURLToPath(new URL("./echo-worker.js", import.meta.url));
process.exit(await runNginx(process.argv.slice(2), { workerProgram, loadKinds: async () => [echoKind] }));
