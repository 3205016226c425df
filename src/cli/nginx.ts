/** `nginx …` and `tandem nginx …`: nginx's command line, texts and exit codes. The process that is started is the master itself. */
import { fileURLToPath } from "node:url";
import { NGINX_VERSION, TANDEM_VERSION } from "../base/version.ts";
import type { Layout } from "../process/nginx-configuration.ts";
import type { ServiceKind } from "../process/service-kind.ts";
import { defaultLayout, layoutOf, type NginxOptions, parseNginxOptions, usage } from "./nginx-options.ts";
import { printError } from "./standard-error.ts";

/** What is served, and the program that a worker runs. */
export interface Server {
  readonly kinds: readonly ServiceKind[];
  readonly workerProgram: string;
}

/** Runs until the exit status is known: at once for `-t` and the like, when it is told to end for a server. */
export async function runNginx(args: readonly string[], loadServer = nginxServer): Promise<number> {
  const options = parseNginxOptions(args);
  if (typeof options === "string") return fail(options);
  const layout = layoutOf(options, defaultLayout());
  if (options.showVersion) {
    await showVersion(options, layout, loadServer);
    if (!options.testConfiguration) return 0;
  }
  // Loaded late: `-v` and a wrong option shall not wait for the server's code.
  const { NginxProgram } = await import("./nginx-program.ts");
  return new NginxProgram(options, layout, args, await loadServer()).run();
}

function fail(message: string): number {
  printError(`nginx: ${message}`);
  return 1;
}

/** The services of the nginx half. */
async function nginxServer(): Promise<Server> {
  const { nginxKinds } = await import("../process/nginx-kinds.ts");
  return { kinds: nginxKinds, workerProgram: fileURLToPath(new URL("../process/nginx-worker.js", import.meta.url)) };
}

async function showVersion(
  { showHelp, showConfigure }: NginxOptions,
  layout: Layout,
  loadServer: () => Promise<Server>,
): Promise<void> {
  printError(`nginx version: nginx/${NGINX_VERSION}`);
  if (showHelp) printError(usage(defaultLayout()).slice(0, -1));
  if (!showConfigure) return;
  const [{ configureArguments }, { nginxCatalog }, { kinds }] = await Promise.all([
    import("../process/build-options.ts"),
    import("../process/nginx-configuration.ts"),
    loadServer(),
  ]);
  printError(`built by Tandem ${TANDEM_VERSION} (Node.js ${process.version})`);
  printError(`configure arguments:${configureArguments(nginxCatalog(kinds), layout.prefix)}`);
}
