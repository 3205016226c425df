/** The probes of the checkers on this machine's sockets, TLS by Node. keepalived: layer4.c, check_ssl.c. */
import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";
import type { CheckerTls } from "../conf/keepalived/lvs/config.ts";
import { filler } from "../lvs/check.ts";
import type { Probe, ProbeFailure, ProbeOwner, Probes, ProbeTarget, ProbeTls } from "../lvs/ports.ts";
import { errorText } from "../os/errno.ts";
import { type ProbeDatagrams, type ProbeSocketSettings, ProbeSockets } from "../os/probe-sockets.ts";
import type { OutgoingFailure } from "../os/reactor/outgoing.ts";
import { decodeEchoReply, encodeEcho } from "../wire/icmp-echo.ts";

/** A server that does not take the last words is left without them. */
const GOODBYE_MS = 1000;
/** What is sent along with an echo. */
const ECHO_BYTES = 128;

function settingsOf({ destination, source, interface: device, mark }: ProbeTarget): ProbeSocketSettings {
  return { remote: destination, local: source, mark, device };
}

/** A call on this side that has failed says nothing about the server. */
function failureOf({ call, errno }: OutgoingFailure): [ProbeFailure, string] {
  const text = errorText(errno);
  return call === "" ? ["refused", text] : ["impossible", `${call}: ${text}`];
}

export class NodeProbes implements Probes {
  readonly #sockets = new ProbeSockets();
  #sequence = 0;

  connect(target: ProbeTarget, secure: ProbeTls | undefined, owner: ProbeOwner): Probe {
    return new StreamProbe(this.#sockets, target, secure, owner);
  }

  datagrams(target: ProbeTarget, owner: ProbeOwner): Probe {
    const socket = this.#sockets.datagrams("udp", settingsOf(target), {
      onDatagram: (bytes) => owner.onData(bytes),
      onError: (errno) => owner.onFailed("refused", errorText(errno)),
    });
    return datagramProbe(socket, owner, () => owner.onConnected());
  }

  ping(target: ProbeTarget, owner: ProbeOwner): Probe {
    const family = target.destination.ip.length === 4 ? 4 : 6;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const ids = { id: process.pid & 0xffff, sequence: this.#sequence };
    const settings = settingsOf({ ...target, destination: { ...target.destination, port: 0 } });
    let isRaw = false;
    const socket = this.#sockets.datagrams("echo", settings, {
      onDatagram: (bytes) => {
        const reply = decodeEchoReply(family, bytes, isRaw && family === 4);
        // A socket for echoes has an id of its own.
        if (reply.ok && reply.value.sequence === ids.sequence && (!isRaw || reply.value.id === ids.id))
          owner.onConnected();
      },
      onError: (errno) => owner.onFailed("refused", errorText(errno)),
    });
    return datagramProbe(socket, owner, (open) => {
      isRaw = open.isRaw;
      const failed = open.send(encodeEcho(family, ids, filler(ECHO_BYTES)));
      if (failed < 0) owner.onFailed("refused", errorText(-failed));
    });
  }
}

/** Nothing is told inside the call that begins. */
function datagramProbe(
  socket: ProbeDatagrams | OutgoingFailure,
  owner: ProbeOwner,
  begin: (socket: ProbeDatagrams) => void,
): Probe {
  const later = setImmediate(() => {
    if ("call" in socket) owner.onFailed(...failureOf(socket));
    else begin(socket);
  });
  return {
    send: (bytes) => {
      const failed = "call" in socket ? 0 : socket.send(bytes);
      if (failed < 0) setImmediate(() => owner.onFailed("refused", errorText(-failed)));
    },
    close: () => {
      clearImmediate(later);
      if (!("call" in socket)) socket.close();
    },
  };
}

class StreamProbe implements Probe {
  readonly #owner: ProbeOwner;
  readonly #connecting: { close(): void };
  #socket: net.Socket | undefined;
  readonly #saysGoodbye: boolean;
  #isConnected = false;
  #isClosed = false;

  constructor(sockets: ProbeSockets, target: ProbeTarget, secure: ProbeTls | undefined, owner: ProbeOwner) {
    this.#owner = owner;
    this.#saysGoodbye = secure?.saysGoodbye === true;
    this.#connecting = sockets.connect(settingsOf(target), (result) => {
      if (typeof result === "number") this.#connected(result, secure);
      else if (!this.#isClosed) owner.onFailed(...failureOf(result));
    });
  }

  #connected(fd: number, secure: ProbeTls | undefined): void {
    const plain = new net.Socket({ fd, readable: true, writable: true });
    if (this.#isClosed) {
      plain.destroy();
      return;
    }
    const socket = secure === undefined ? plain : this.#secure(plain, secure);
    if (socket === undefined) return;
    this.#socket = socket;
    socket.on("data", (bytes) => this.#tell(() => this.#owner.onData(bytes)));
    socket.on("end", () => this.#ended(secure !== undefined && !this.#isConnected));
    socket.on("error", (error) => {
      const failure = secure !== undefined && !this.#isConnected ? "handshake" : "broken";
      this.#tell(() => this.#owner.onFailed(failure, error.message));
    });
    if (secure === undefined) this.#ready();
    else socket.on("secureConnect", () => this.#ready());
  }

  /** As keepalived: nothing is verified, and old servers are spoken to. */
  #secure(plain: net.Socket, { serverName, files }: ProbeTls): net.Socket | undefined {
    try {
      return tls.connect({
        socket: plain,
        rejectUnauthorized: false,
        minVersion: "TLSv1",
        ...(serverName === undefined ? {} : { servername: serverName }),
        ...credentials(files),
      });
    } catch (error) {
      plain.destroy();
      this.#owner.onFailed("impossible", (error as Error).message);
      return undefined;
    }
  }

  #ended(isHandshake: boolean): void {
    this.#tell(() => {
      if (isHandshake) this.#owner.onFailed("handshake", "the connection has ended");
      else this.#owner.onEnd();
    });
  }

  #ready(): void {
    this.#isConnected = true;
    this.#tell(() => this.#owner.onConnected());
  }

  #tell(what: () => void): void {
    if (!this.#isClosed) what();
  }

  send(bytes: Uint8Array): void {
    this.#socket?.write(bytes);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connecting.close();
    const socket = this.#socket;
    if (socket === undefined || !this.#saysGoodbye || !this.#isConnected) socket?.destroy();
    else {
      socket.setTimeout(GOODBYE_MS, () => socket.destroy());
      socket.destroySoon();
    }
  }
}

/** Read anew for every check: they are few, and a certificate may have been renewed. */
function credentials({ password, authorities, certificate, key }: CheckerTls): tls.SecureContextOptions {
  const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file));
  const parts = { ca: read(authorities), cert: read(certificate), key: read(key), passphrase: password };
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
}
