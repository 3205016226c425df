/** A good pair, as texts that a test changes before it is checked. */
import { readerOf } from "../conf/keepalived/example.ts";
import { buildSubject, type CheckPorts } from "./build-subject.ts";
import type { FileFact, FirewallFact, NodeFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";
import { runRules } from "./rules.ts";
import type { Live, Subject } from "./subject.ts";

/** A quick check that only asks. */
export const GOOD_SCRIPT = "#!/bin/sh\npidof nginx > /dev/null\n";

/** One node's keepalived.conf; nothing can be said against it. */
export function nodeText(label: "a" | "b"): string {
  const [priority, address] = label === "a" ? [100, "192.168.50.133"] : [90, "192.168.50.134"];
  return `global_defs {
	router_id ${label}
	enable_script_security
	script_user nobody
}
vrrp_script chk {
	script "/etc/keepalived/check.sh"
	interval 2
	weight -20
}
vrrp_instance VI_1 {
	state BACKUP
	interface eth0
	virtual_router_id 33
	mcast_src_ip ${address}
	priority ${priority}
	advert_int 1
	track_script {
		chk
	}
	virtual_ipaddress {
		192.168.50.130/24
	}
}
`;
}

export const GOOD_NGINX = `user www-data;
events {
}
http {
	server {
		listen 88;
		server_name localhost;
		root /srv/www;
		error_page 500 /50x.html;
		location / {
		}
	}
}
`;

/** What a test changes. */
export interface Change {
  readonly a?: (text: string) => string;
  readonly b?: (text: string) => string;
  readonly both?: (text: string) => string;
  readonly script?: string | undefined;
  /** Empty: no nginx.conf is given. */
  readonly nginx?: string;
  readonly nginxPath?: string;
  /** The other node's, when it is another one. */
  readonly peerNginx?: string;
  /** Both nodes run. */
  readonly live?: Live;
  readonly facts?: NodeFacts;
  readonly isAlone?: boolean;
  readonly bindNginx?: NonNullable<CheckPorts["bindNginx"]>;
}

/** The pair with the change. */
export function subjectOf({
  a,
  b,
  both,
  script = GOOD_SCRIPT,
  nginx = GOOD_NGINX,
  nginxPath = "/srv/nginx.conf",
  peerNginx,
  live,
  facts,
  isAlone,
  bindNginx,
}: Change): Subject {
  const same = (text: string): string => text;
  const files: Record<string, string> = {
    "/a/keepalived.conf": (a ?? same)((both ?? same)(nodeText("a"))),
    "/b/keepalived.conf": (b ?? same)((both ?? same)(nodeText("b"))),
    [nginxPath]: nginx,
  };
  if (peerNginx !== undefined) files["/b/nginx.conf"] = peerNginx;
  if (script !== "") files["/etc/keepalived/check.sh"] = script;
  const request = {
    keepalived: "/a/keepalived.conf",
    nginx: nginx === "" ? undefined : nginxPath,
    peerKeepalived: isAlone === true ? undefined : "/b/keepalived.conf",
    peerNginx: peerNginx === undefined ? undefined : "/b/nginx.conf",
    configId: "a",
    ...(live === undefined ? {} : { live }),
  };
  return buildSubject(request, {
    reader: readerOf(files),
    facts,
    ...(bindNginx === undefined ? {} : { bindNginx }),
  });
}

/** Two nodes that run, without anything to say about it, with a change. */
export function liveOf(change: Partial<Live>): Live {
  return { version: "1.0.0", peerVersion: "1.0.0", clock: undefined, stale: [], peerStale: [], ...change };
}

/** Findings of one rule. */
export function found(rule: string, change: Change): readonly Finding[] {
  return runRules(subjectOf(change)).filter((finding) => finding.rule === rule);
}

/** A machine that has all that the good pair needs, with a change. */
export function factsOf(change: {
  readonly hostName?: string;
  readonly interfaces?: NodeFacts["interfaces"];
  readonly files?: Readonly<Record<string, Partial<FileFact> | undefined>>;
  readonly firewall?: FirewallFact;
  readonly nginxPath?: string;
}): NodeFacts {
  const files: Readonly<Record<string, Partial<FileFact> | undefined>> = {
    "/etc/keepalived/check.sh": { isFile: true, isExecutable: true },
    "/srv/www": { isDirectory: true },
    "/srv/www/50x.html": { isFile: true },
    ...change.files,
  };
  return {
    hostName: change.hostName ?? "a",
    interfaces: change.interfaces ?? [{ name: "eth0", addresses: ["192.168.50.133"], isRunning: true }],
    file: (path) => {
      const fact = files[path];
      return fact === undefined ? undefined : { isFile: false, isDirectory: false, isExecutable: false, ...fact };
    },
    firewall: change.firewall,
    nginxPath: change.nginxPath ?? "/usr/sbin/nginx",
  };
}

/** Replaces a line; the text must have it. */
export function replace(from: string, to: string): (text: string) => string {
  return (text) => {
    if (!text.includes(from)) throw new Error(`"${from}" is not in the text`);
    return text.replace(from, to);
  };
}
