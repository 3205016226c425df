/** What the lab and its agents say to each other over Node's IPC channel: calls with answers, and events. Plain JSON. */

/** A file of a node's private view, `/etc/nginx/nginx.conf`. */
export interface StagedFile {
  readonly path: string;
  readonly mode: number;
  readonly base64: string;
}

/** How a link of the agent's namespace is set up. */
export interface LinkSettings {
  readonly name: string;
  /** `192.168.50.133/24`. */
  readonly addresses: readonly string[];
}

export interface SpawnSettings {
  /** The program's name in events and signals. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Which processes of a node are meant: a part of the system under test, by its role in either implementation. */
export type Part =
  | "all"
  | "vrrp"
  | "http"
  /** Those too that wait to take a worker's place: what is kept dead has none that serves for a moment first. */
  | "http-with-spares"
  | "http-workers";

export interface ProbeSettings {
  readonly ip: string;
  readonly port: number;
  /** Begin of one attempt to begin of the next. */
  readonly everyMs: number;
  readonly timeoutMs: number;
}

/** One attempt: a connection, a request, an answer or the reason why there is none. */
export interface ProbeResult {
  readonly startMs: number;
  readonly endMs: number;
  /** The answer's body; undefined for a failure. */
  readonly body?: string;
  /** `TIMEOUT`, `ECONNREFUSED`, `EOF`, `status 502` …; undefined for a success. */
  readonly failure?: string;
}

export interface KeepAliveSettings {
  readonly ip: string;
  readonly port: number;
  readonly connections: number;
  /** Pause of a connection between an answer and its next request. */
  readonly pauseMs: number;
}

export interface KeepAliveResult {
  readonly requests: number;
  readonly connections: number;
  /** How often a request failed, by reason. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface StreamSettings {
  readonly ip: string;
  /** How many of each are under way at any time; tunnels last for as long as the load. */
  readonly downloads: number;
  readonly uploads: number;
  readonly tunnels: number;
  /** Of a download or an upload. */
  readonly lastsMs: number;
}

export interface StreamResult {
  /** Those that have ended as they should. */
  readonly downloads: number;
  readonly uploads: number;
  readonly tunnels: number;
  readonly echoes: number;
  /** The others, by what they were and why. */
  readonly broken: Readonly<Record<string, number>>;
}

/** Every call of an agent: what it takes and what it answers. */
export interface AgentCalls {
  /** Makes the private view of the file system: once, before anything else. */
  stage(files: readonly StagedFile[]): void;
  writeFile(file: StagedFile): void;
  configureLink(settings: LinkSettings): void;
  /** Removes every global address that `configureLink` has not given: what killed programs have left behind. */
  restoreAddresses(): void;
  setLinkUp(settings: { readonly name: string; readonly up: boolean }): void;
  /** Begins to send `address` events, after one for each address that is there. */
  watchAddresses(): void;
  /** Starts a program in a session of its own; its lines come as `output` events. */
  spawn(settings: SpawnSettings): { readonly pid: number };
  /** Sends a signal to a program by name; false when it does not run. */
  signal(settings: { readonly name: string; readonly signal: string }): boolean;
  /** Sends a signal to every process of a part; answers how many there were. */
  signalPart(settings: { readonly part: Part; readonly signal: string }): number;
  /** Kills every process of a part again and again, so that nothing can restart it; undefined ends that. */
  suppress(part: Part | undefined): void;
  /** True when a socket of the node hears VRRP: a router that stands by says nothing by which it could be noticed. */
  hearsVrrp(): boolean;
  /** Command lines by role, for messages when something is not as expected. */
  processes(): readonly string[];
  /** One request; the body or undefined. */
  fetch(settings: ProbeSettings): string | undefined;
  startProbe(settings: ProbeSettings): void;
  /** The results since the start or the last call. */
  takeProbeResults(): readonly ProbeResult[];
  stopProbe(): void;
  startKeepAlive(settings: KeepAliveSettings): void;
  stopKeepAlive(): KeepAliveResult;
  startStreams(settings: StreamSettings): void;
  /** Lets what is under way come to its end. */
  stopStreams(): StreamResult;
}

/** What an agent tells by itself. */
export type AgentEvent =
  | { readonly event: "ready" }
  | { readonly event: "output"; readonly name: string; readonly line: string; readonly atMs: number }
  | { readonly event: "exit"; readonly name: string; readonly status: string; readonly atMs: number }
  /** A request of a client has failed, or one of its exchanges has broken. */
  | { readonly event: "failure"; readonly what: string; readonly atMs: number }
  | {
      readonly event: "address";
      readonly ip: string;
      readonly link: string;
      readonly held: boolean;
      readonly atMs: number;
    };

export interface AgentRequest {
  readonly id: number;
  readonly call: keyof AgentCalls;
  readonly argument: unknown;
}

export type AgentAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

export type AgentMessage = AgentEvent | AgentAnswer;
