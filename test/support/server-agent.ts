/**
 * A host of the servers' lab: opens and closes services that answer with the host's name, and asks services of others. Commands come as
 * JSON lines on standard input, each answered by one on standard output.
 */
import { createSocket, type Socket } from "node:dgram";
import { createServer, request, type Server } from "node:http";
import net from "node:net";
import { createInterface } from "node:readline";

/** What a host is asked to do; `from`: own address. */
export type AgentCommand =
  | { readonly kind: "open"; readonly protocol: "tcp" | "udp"; readonly port: number; readonly status?: number }
  | { readonly kind: "close"; readonly protocol: "tcp" | "udp"; readonly port: number }
  | {
      readonly kind: "ask";
      readonly protocol: "tcp" | "udp";
      readonly host: string;
      readonly port: number;
      readonly from?: string;
      readonly fromPort?: number;
    }
  /** A connection that stays: its answer is the name, and `talk` asks it again. */
  | { readonly kind: "hold"; readonly host: string; readonly port: number }
  | { readonly kind: "talk" };

const TIMEOUT_MS = 1500;
const [, , name = "nobody"] = process.argv;
const open = new Map<string, Server | net.Server | Socket>();
let held: net.Socket | undefined;

/** Lines are answered with the name; what looks like HTTP gets an HTTP answer. */
function serve(protocol: "tcp" | "udp", port: number, status: number): Promise<string> {
  return new Promise((resolve) => {
    if (protocol === "udp") {
      const socket = createSocket(port === 5353 ? "udp4" : "udp4");
      socket.on("message", (message, from) => {
        // A question of DNS is answered by its own header with the answer bit.
        const isDns = message.length >= 12 && port === 53;
        const reply = isDns
          ? Buffer.concat([message.subarray(0, 2), Buffer.from([0x81, 0x80]), message.subarray(4)])
          : name;
        socket.send(reply, from.port, from.address);
      });
      socket.bind(port, () => resolve("open"));
      open.set(`${protocol}${port}`, socket);
      return;
    }
    const http = createServer((_, answer) => {
      answer.writeHead(status, { Connection: "close" });
      answer.end(name);
    });
    const server = net.createServer((client) => {
      client.on("error", () => client.destroy());
      client.once("data", (first) => {
        if (/^GET /.test(first.toString("latin1"))) {
          http.emit("connection", client);
          client.unshift(first);
          return;
        }
        client.write(`${name}\n`);
        client.on("data", () => client.write(`${name}\n`));
      });
    });
    server.listen(port, () => resolve("open"));
    open.set(`${protocol}${port}`, server);
  });
}

function ask(command: Extract<AgentCommand, { kind: "ask" }>): Promise<string> {
  const { host, port, from, fromPort } = command;
  return new Promise((resolve) => {
    if (command.protocol === "tcp") {
      const local = from === undefined ? {} : { localAddress: from };
      const asked = request({ host, port, path: "/", agent: false, timeout: TIMEOUT_MS, ...local }, (answer) => {
        let text = "";
        answer.on("data", (part) => {
          text += part;
        });
        answer.on("end", () => resolve(text));
      });
      asked.on("timeout", () => asked.destroy(new Error("ETIMEDOUT")));
      asked.on("error", (error) => resolve(`! ${(error as NodeJS.ErrnoException).code ?? error.message}`));
      asked.end();
      return;
    }
    const socket = createSocket("udp4");
    const end = (text: string): void => {
      clearTimeout(timer);
      socket.close();
      resolve(text);
    };
    const timer = setTimeout(() => end("! ETIMEDOUT"), TIMEOUT_MS);
    socket.on("message", (message) => end(message.toString()));
    socket.on("error", (error) => end(`! ${(error as NodeJS.ErrnoException).code}`));
    socket.bind(fromPort ?? 0, () => socket.connect(port, host, () => socket.send("?")));
  });
}

function talk(): Promise<string> {
  const socket = held;
  if (socket === undefined) return Promise.resolve("! none");
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve("! ETIMEDOUT"), TIMEOUT_MS);
    socket.once("data", (bytes) => {
      clearTimeout(timer);
      resolve(bytes.toString().trim());
    });
    socket.write("?\n");
  });
}

function hold({ host, port }: Extract<AgentCommand, { kind: "hold" }>): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port }, () => void talk().then(resolve));
    socket.on("error", (error) => resolve(`! ${(error as NodeJS.ErrnoException).code}`));
    held = socket;
  });
}

function perform(command: AgentCommand): Promise<string> {
  switch (command.kind) {
    case "open":
      return serve(command.protocol, command.port, command.status ?? 200);
    case "close": {
      open.get(`${command.protocol}${command.port}`)?.close();
      return Promise.resolve("closed");
    }
    case "ask":
      return ask(command);
    case "hold":
      return hold(command);
    case "talk":
      return talk();
  }
}

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const { id, command } = JSON.parse(line) as { id: number; command: AgentCommand };
  void perform(command).then((answer) => process.stdout.write(`${JSON.stringify({ id, answer })}\n`));
});
input.on("close", () => process.exit(0));
