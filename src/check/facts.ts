/** What can be asked of the machine that a check runs on. Everything may be unknown: a check also reads files of far nodes. */

/** What is known of a path. */
export interface FileFact {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly isExecutable: boolean;
}

/** A network interface. */
export interface InterfaceFact {
  readonly name: string;
  /** As text, without prefix length. */
  readonly addresses: readonly string[];
  /** It is up and has a carrier. */
  readonly isRunning: boolean;
}

/** What the packet filter does with packets for a port or protocol, as far as its rules can be read. */
export interface FirewallFact {
  /** `nft` or `iptables`. */
  readonly tool: string;
  /** Verdict for a new TCP connection to a port from outside. */
  readonly tcp: (port: number) => Passage;
  /** Verdict for an IP protocol number from outside. */
  readonly protocol: (number: number) => Passage;
}

/** `why`: the rule or policy in the tool's own words. */
export interface Passage {
  readonly verdict: "accepted" | "dropped" | "unknown";
  readonly why: string;
  /** The chain that a rule would have to be added to. */
  readonly chain: string;
}

/** The machine. Undefined answers mean that it could not be found out. */
export interface NodeFacts {
  readonly hostName: string;
  readonly interfaces: readonly InterfaceFact[];
  /** Undefined: there is nothing at this path. */
  readonly file: (path: string) => FileFact | undefined;
  readonly firewall: FirewallFact | undefined;
  /** The nginx that a shell would start, if there is one. */
  readonly nginxPath: string | undefined;
}
