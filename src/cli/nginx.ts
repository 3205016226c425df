/** `nginx …` and `tandem nginx …`: nginx's command line, texts and exit codes. The process that is started is the master itself. */
import { fileURLToPath } from "node:url";
import { NGINX_VERSION, TANDEM_VERSION } from "../base/version.ts";
import type { Layout } from "../process/nginx-configuration.ts";
import type { ServiceKind } from "../process/service-kind.ts";
import { environmentOf } from "../process/worker-environment.ts";
import { earlyWorkers } from "./early-start.ts";
import { defaultLayout, layoutOf, type NginxOptions, parseNginxOptions, usage } from "./nginx-options.ts";
import { printError } from "./standard-error.ts";

/** The program that a worker runs, and what is served. */
export interface Server {
  readonly workerProgram: string;
  readonly loadKinds: () => Promise<readonly ServiceKind[]>;
}

/** Runs until the exit status is known: at once for `-t` and the like, when it is told to end for a server. */
export async function runNginx(args: readonly string[], server = nginxServer): Promise<number> {
  const options = parseNginxOptions(args);
  if (typeof options === "string") return fail(options);
  const layout = layoutOf(options, defaultLayout());
  if (options.showVersion) {
    await showVersion(options, layout, server);
    if (!options.testConfiguration) return 0;
  }
  // All loaded late: `-v` and a wrong option shall not wait for the server's code, nor the first worker for the master's.
  const { SpareWorkers } = await import("../process/spare-workers.ts");
  const spare = new SpareWorkers();
  const command = { program: server.workerProgram, environment: environmentOf([], process.env) };
  spare.startEarly(command, earlyWorkers(options, layout));
  const { NginxProgram } = await import("./nginx-program.ts");
  const kinds = await server.loadKinds();
  const status = await new NginxProgram(options, layout, args, { ...server, kinds, spare }).run();
  spare.discard();
  return status;
}

function fail(message: string): number {
  printError(`nginx: ${message}`);
  return 1;
}

/** The services of the nginx half. */
export const nginxServer: Server = {
  workerProgram: fileURLToPath(new URL("../../programs/nginx-worker.cjs", import.meta.url)),
  loadKinds: async () => (await import("../process/nginx-kinds.ts")).nginxKinds,
};

async function showVersion({ showHelp, showConfigure }: NginxOptions, layout: Layout, server: Server): Promise<void> {
  printError(`nginx version: nginx/${NGINX_VERSION}`);
  if (showHelp) printError(usage(defaultLayout()).slice(0, -1));
  if (!showConfigure) return;
  const [{ configureArguments }, { nginxCatalog }, kinds] = await Promise.all([
    import("../process/build-options.ts"),
    import("../process/nginx-configuration.ts"),
    server.loadKinds(),
  ]);
  printError(`built by Tandem ${TANDEM_VERSION} (Node.js ${process.version})`);
  printError(`configure arguments:${configureArguments(nginxCatalog(kinds), layout.prefix)}`);
}
