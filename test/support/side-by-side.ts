/** Our server and the nginx of this machine with one configuration: both are asked the same, and must say the same. */
import assert from "node:assert/strict";
import { exchange, installedNginx, type ServerOptions, TestServer } from "../http-server.ts";

const nginx = installedNginx();

/** For the options of a test that needs both. */
export const NEEDS_NGINX = nginx === undefined && "nginx is not installed";

/** Without what differs from server to server and from run to run. */
export function comparable(text: string, { port, folder }: TestServer): string {
  return text
    .replaceAll(String(port), "PORT")
    .replaceAll(folder, "DIR")
    .replace(/nginx\/[\d.]+/g, "nginx/V")
    .replace(/Content-Length: 1[45678]\d\r/g, "Content-Length: PAGE\r")
    .replace(/"[\da-f]{8}-[\da-f]+"/g, "TAG")
    .replace(/(Date|Last-Modified): [^\r]*/g, "$1: D");
}

export class SideBySide {
  readonly ours: TestServer;
  readonly theirs: TestServer | undefined;

  private constructor(ours: TestServer, theirs: TestServer | undefined) {
    this.ours = ours;
    this.theirs = theirs;
  }

  static async start(http: string, options: ServerOptions = {}): Promise<SideBySide> {
    const ours = await TestServer.start(http, options);
    const theirs = nginx === undefined ? undefined : await TestServer.start(http, { ...options, binary: nginx });
    return new SideBySide(ours, theirs);
  }

  /** Both are sent these bytes, `%DIR%` being each server's folder; what they answer is compared and returned. */
  async send(text: string): Promise<string> {
    const [mine, its] = await Promise.all(
      [this.ours, this.theirs].map(
        (server) => server && exchange(server.port, [text.replaceAll("%DIR%", server.folder)]),
      ),
    );
    assert.ok(mine !== undefined);
    const answer = comparable(mine.text, this.ours);
    if (its !== undefined && this.theirs !== undefined) {
      assert.equal(answer, comparable(its.text, this.theirs), text);
      assert.equal(mine.closed, its.closed, text);
    }
    return answer;
  }

  /** The same for a request of HTTP/1.0. */
  get(target: string, ...headers: readonly string[]): Promise<string> {
    return this.send([`GET ${target} HTTP/1.0`, "Host: localhost", ...headers, "", ""].join("\r\n"));
  }

  /** The body of such an answer. */
  async body(target: string, ...headers: readonly string[]): Promise<string> {
    const answer = await this.get(target, ...headers);
    return answer.slice(answer.indexOf("\r\n\r\n") + 4);
  }

  /**
   * The lines of both error logs that match, without times and numbers, in alphabetical order; compared and returned. The
   * client and the server of a line are left out.
   */
  complaints(pattern: RegExp): readonly string[] {
    const read = (server: TestServer): readonly string[] =>
      server
        .log("error.log")
        .split("\n")
        .filter((line) => pattern.test(line))
        .map((line) =>
          comparable(line, server)
            .replace(/^\S+ \S+ \[(\w+)\] \d+#\d+: \*\d+ /, "[$1] ")
            .replace(/, client: [^,]*, server: [^,]*, request: "(.*?)( HTTP\/[\d.]+)?".*/, ' "$1"'),
        )
        .sort();
    const mine = read(this.ours);
    if (this.theirs !== undefined) assert.deepEqual(mine, read(this.theirs));
    return mine;
  }

  async stop(): Promise<void> {
    await this.ours.stop();
    await this.theirs?.stop();
  }
}
