/** `nginx …` and `tandem nginx …`: nginx's command line, texts and exit codes. The process that is started is the master itself. */
import { NGINX_VERSION, TANDEM_VERSION } from "../base/version.ts";
import type { Layout } from "../process/nginx-configuration.ts";
import { defaultLayout, layoutOf, type NginxOptions, parseNginxOptions, usage } from "./nginx-options.ts";
import { printError } from "./standard-error.ts";

/** How long it runs: a server until it is told to end. */
export async function runNginx(args: readonly string[]): Promise<number> {
  const options = parseNginxOptions(args);
  if (typeof options === "string") return fail(options);
  const layout = layoutOf(options, defaultLayout());
  if (options.showVersion) {
    await showVersion(options, layout);
    if (!options.testConfiguration) return 0;
  }
  // Loaded late: `-v` and a wrong option shall not wait for the server's code.
  const { NginxProgram } = await import("./nginx-program.ts");
  return new NginxProgram(options, layout, args).run();
}

function fail(message: string): number {
  printError(`nginx: ${message}`);
  return 1;
}

async function showVersion({ showHelp, showConfigure }: NginxOptions, layout: Layout): Promise<void> {
  printError(`nginx version: nginx/${NGINX_VERSION}`);
  if (showHelp) printError(usage(defaultLayout()).slice(0, -1));
  if (!showConfigure) return;
  const [{ configureArguments }, { nginxCatalog }, { nginxKinds }] = await Promise.all([
    import("../process/build-options.ts"),
    import("../process/nginx-configuration.ts"),
    import("../process/nginx-kinds.ts"),
  ]);
  printError(`built by Tandem ${TANDEM_VERSION} (Node.js ${process.version})`);
  printError(`configure arguments:${configureArguments(nginxCatalog(nginxKinds), layout.prefix)}`);
}
