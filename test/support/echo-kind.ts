/** The smallest service that the processes can run: answers every HTTP request with the worker's pid. For tests of the processes alone. */

import { parseIp } from "../../src/base/ip.ts";
import { confModule } from "../../src/conf/slot.ts";
import { flag, list, text } from "../../src/conf/slots.ts";
import type { ListenSpec } from "../../src/io/listen.ts";
import type { Memory } from "../../src/io/memory.ts";
import type { Acceptor } from "../../src/io/reactor.ts";
import type { Service, ServiceCounters } from "../../src/io/service.ts";
import type { Stream, StreamOwner } from "../../src/io/stream.ts";
import type { ServiceKind, ServicePorts } from "../../src/process/service-kind.ts";

/** How long an idle keep-alive connection may still bring a request when the worker is to quit. */
const LAST_REQUEST_MS = 200;

export const echoModule = confModule({
  name: "echo",
  contexts: "main",
  directives: {
    echo_listen: list(
      (use): ListenSpec | undefined => {
        const [address = "", ...options] = use.args;
        if (address.startsWith("unix:")) return { endpoint: { path: address.slice(5) } };
        const at = address.lastIndexOf(":");
        const ip = parseIp(address.slice(0, at).replace(/[[\]]/g, ""));
        if (ip === undefined) return use.fail(`invalid address "${address}"`);
        return { endpoint: { ip, port: Number(address.slice(at + 1)) }, reusePort: options.includes("reuseport") };
      },
      { doc: "An address.", syntax: "address:port [reuseport]", args: [1, 2] },
    ),
    echo_text: text("hello", { doc: "What is answered in front of the pid." }),
    echo_log: text(undefined, { doc: "A file that gets a line per request." }),
    echo_fails: flag(false, { doc: "Fails in the worker." }),
  },
});

/** GET /crash ends the worker by an exception, GET /slow is answered after a second, GET /whoami with the user id. */
class EchoConnection implements StreamOwner {
  private readonly service: EchoService;
  private readonly stream: Stream;
  private buffered = "";
  busy = false;

  constructor(service: EchoService, stream: Stream) {
    this.service = service;
    this.stream = stream;
  }

  onData(memory: Memory, start: number, end: number): void {
    this.buffered += Buffer.from(memory.bytes.subarray(start, end)).toString("latin1");
    for (let at = this.buffered.indexOf("\r\n\r\n"); at >= 0; at = this.buffered.indexOf("\r\n\r\n")) {
      const head = this.buffered.slice(0, at);
      this.buffered = this.buffered.slice(at + 4);
      const path = head.split(" ")[1] ?? "";
      if (path === "/crash") throw new Error("asked to crash");
      if (path === "/hang") for (;;);
      if (path === "/slow") {
        this.busy = true;
        setTimeout(() => this.answer("slow"), 1000);
      } else this.answer(path === "/whoami" ? `${process.getuid?.()} ${process.getgroups?.()}` : undefined);
    }
  }

  private answer(body?: string): void {
    this.busy = false;
    const text = body ?? `${this.service.text} ${process.pid}`;
    const connection = this.service.isQuitting ? "close" : "keep-alive";
    const message = `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\nConnection: ${connection}\r\n\r\n${text}`;
    const { bytes } = this.service.output;
    bytes.set(Buffer.from(message, "latin1"));
    this.service.requests++;
    this.service.logRequest();
    this.stream.write(this.service.output, 0, message.length, false);
    if (this.service.isQuitting) this.close();
  }

  onEnd(): void {
    this.close();
  }
  onError(): void {
    this.close();
  }
  onWritable(): void {}

  close(): void {
    this.stream.close();
    this.service.gone(this);
  }
}

class EchoService implements Service {
  readonly text: string;
  readonly output: Memory;
  requests = 0;
  accepted = 0;
  isQuitting = false;
  private readonly ports: ServicePorts;
  private readonly logPath: string | undefined;
  private logFd = -1;
  private readonly connections = new Set<EchoConnection>();
  private acceptors: Acceptor[] = [];
  private onIdle: (() => void) | undefined;

  constructor(ports: ServicePorts, text: string, logPath: string | undefined) {
    this.ports = ports;
    this.text = text;
    this.logPath = logPath;
    this.output = ports.memory.allocate(4096);
    if (logPath !== undefined) this.logFd = ports.files.openAppend(logPath);
  }

  start(fds: readonly number[]): void {
    this.acceptors = fds.map((fd) =>
      this.ports.reactor.accept(fd, {
        multiAccept: this.ports.multiAccept,
        onAccept: (stream) => {
          this.accepted++;
          const connection = new EchoConnection(this, stream);
          stream.owner = connection;
          this.connections.add(connection);
        },
        onError: (errno) => this.ports.log.write("crit", "accept4() failed", { errno }),
      }),
    );
  }

  logRequest(): void {
    if (this.logFd < 0) return;
    const line = this.ports.memory.allocate(1);
    line.bytes.set(Buffer.from("request\n"));
    this.ports.files.write(this.logFd, line, 0, 8);
  }

  gone(connection: EchoConnection): void {
    this.connections.delete(connection);
    this.checkIdle();
  }

  private checkIdle(): void {
    if (this.connections.size > 0 || this.onIdle === undefined) return;
    const { onIdle } = this;
    this.onIdle = undefined;
    this.ports.reactor.defer(onIdle);
  }

  quiesce(onIdle: () => void): void {
    this.isQuitting = true;
    this.onIdle = onIdle;
    for (const acceptor of this.acceptors) acceptor.close();
    setTimeout(() => {
      for (const connection of this.connections) if (!connection.busy) connection.close();
      this.checkIdle();
    }, LAST_REQUEST_MS);
    this.checkIdle();
  }

  terminate(): void {
    for (const connection of this.connections) connection.close();
  }

  reopenLogs(): void {
    if (this.logPath === undefined) return;
    this.ports.files.close(this.logFd);
    this.logFd = this.ports.files.openAppend(this.logPath);
  }

  counters(): ServiceCounters {
    const active = this.connections.size;
    return {
      accepted: this.accepted,
      handled: this.accepted,
      requests: this.requests,
      active,
      reading: 0,
      writing: 0,
      waiting: active,
    };
  }
}

/** Never used for anything but tests. */
export const echoKind: ServiceKind = {
  name: "echo",
  modules: [echoModule],
  plan: (main) => {
    const { echo_listen: listens, echo_log: log } = main.conf(echoModule);
    return { listens, logFiles: log === undefined ? [] : [log] };
  },
  create: (main, ports) => {
    const { echo_text: text, echo_log: log, echo_fails: fails } = main.conf(echoModule);
    if (fails) throw new Error("told to fail");
    return new EchoService(ports, text, log);
  },
};
