/** A port that takes no more connections: its queue is full and nobody accepts, so that a connect is never answered. */
import net from "node:net";
import { close } from "../../src/os/ffi/files.ts";
import { AF_INET, bind, listen, SOCK_CLOEXEC, SOCK_STREAM, socket } from "../../src/os/ffi/sockets.ts";
import { allocateMemory } from "../../src/os/memory.ts";
import { encodeEndpoint } from "../../src/os/sockaddr.ts";
import { SocketOptions } from "../../src/os/socket-options.ts";

export class DeafPort {
  readonly port: number;
  private readonly fd: number;
  private readonly queued: net.Socket[] = [];

  private constructor() {
    const memory = allocateMemory(1);
    this.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const length = encodeEndpoint(memory.bytes, 0, { ip: Uint8Array.of(127, 0, 0, 1), port: 0 });
    if (bind(this.fd, memory.address, length) < 0 || listen(this.fd, 0) < 0) throw new Error("no deaf port");
    const local = new SocketOptions(memory).localEndpoint(this.fd);
    this.port = "port" in local ? local.port : 0;
  }

  static async open(): Promise<DeafPort> {
    const deaf = new DeafPort();
    const first = net.connect(deaf.port, "127.0.0.1");
    deaf.queued.push(first);
    await new Promise((resolve) => first.once("connect", resolve));
    return deaf;
  }

  close(): void {
    for (const socket of this.queued) socket.destroy();
    close(this.fd);
  }
}
