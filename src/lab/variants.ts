/** The pair's configuration as a scenario needs it: the user's files with a few lines changed. */
import { addBlock, addLines, appendLines, type Edit, editAll, removeKeyword, setKeyword } from "./edit.ts";
import type { NodeName } from "./plan.ts";
import { BACK_END_PORT, STREAM_PORT } from "./streams.ts";

export interface Variant {
  readonly name: string;
  /**
   * What is changed in keepalived.conf of a node; `preferred` is the node of higher priority, `addresses` are the nodes' own
   * ones, which are known when the files have been read as they are written.
   */
  edit(node: NodeName, preferred: NodeName, addresses: Readonly<Record<NodeName, string>> | undefined): Edit;
  /** What is changed in nginx.conf of both nodes; nothing without it. */
  readonly editNginx?: Edit;
}

/** As the user wrote it. */
export const asWritten: Variant = { name: "as written", edit: () => (text) => text };

/** The address stays where it is when the stronger node returns. */
export const nopreempt: Variant = {
  name: "nopreempt",
  edit: (node, preferred) =>
    editAll([
      setKeyword("vrrp_instance", "state", "BACKUP"),
      removeKeyword("vrrp_instance", "nopreempt"),
      ...(node === preferred ? [addLines("vrrp_instance", ["nopreempt"])] : []),
    ]),
};

/** The web server's processes are watched instead of being asked by a script: without them the node is at fault. */
export const trackProcess: Variant = {
  name: "track_process",
  edit: () =>
    editAll([
      removeKeyword("vrrp_instance", "track_script"),
      addLines("vrrp_instance", ["track_process {", "\tweb_server", "}"]),
      addBlock(["vrrp_track_process web_server {", "\tprocess nginx", "}"]),
    ]),
};

/** Loopback ports that the back ends of `trackUpstream` listen on: a node without its loopback can't reach them. */
const BACK_END = "127.0.0.1:18081";
const CHECKER = "127.0.0.1:18082";

/** The priority follows the back ends of an upstream that nginx looks after; no script is run. */
export const trackUpstream: Variant = {
  name: "track_upstream",
  edit: () =>
    editAll([
      removeKeyword("vrrp_instance", "track_script"),
      addLines("vrrp_instance", ["track_upstream lab_back_ends weight -60"]),
    ]),
  editNginx: appendLines("http", [
    `upstream lab_back_ends { zone lab_back_ends 64k; server ${BACK_END}; }`,
    `server { listen ${BACK_END}; access_log off; location / { return 204; } }`,
    `server { listen ${CHECKER}; location / { proxy_pass http://lab_back_ends; proxy_connect_timeout 300ms; health_check interval=200ms fails=2 passes=2; } }`,
  ]),
};

/** Of the sessions of `trackBfd`, keepalived's defaults. */
export const BFD_INTERVAL_MS = 10;
export const BFD_MULTIPLIER = 5;

/** The nodes watch each other with BFD; nothing else is changed. Both get the same weight, so it decides nothing. */
export const trackBfd: Variant = {
  name: "track_bfd",
  edit: (node, _preferred, addresses) =>
    addresses === undefined
      ? (text) => text
      : editAll([
          addLines("vrrp_instance", ["track_bfd {", "\tpartner weight 1", "}"]),
          addBlock([
            "bfd_instance partner {",
            `\tneighbor_ip ${addresses[node === "a" ? "b" : "a"]}`,
            `\tmin_rx ${BFD_INTERVAL_MS}`,
            `\tmin_tx ${BFD_INTERVAL_MS}`,
            `\tmultiplier ${BFD_MULTIPLIER}`,
            "}",
          ]),
        ]),
};

/** Both nodes know each other; behind their web servers are exchanges that last (see stream-back-end.ts). */
export const peerChannel: Variant = {
  name: "peer_key",
  edit: () => addBlock(["global_defs {", "\tpeer_key of-the-lab-and-of-no-other-pair", "}"]),
  editNginx: appendLines("http", [
    `server { listen ${STREAM_PORT}; access_log off; location / { proxy_pass http://127.0.0.1:${BACK_END_PORT}; proxy_http_version 1.1;`,
    "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;",
    "proxy_buffering off; proxy_request_buffering off; client_max_body_size 0; } }",
  ]),
};

/** VRRP version 3 with an interval of a fraction of a second. Version 3 knows no passwords. */
export function version3(intervalMs: number): Variant {
  return {
    name: `version 3, ${intervalMs} ms`,
    edit: () =>
      editAll([
        removeKeyword("vrrp_instance", "authentication"),
        setKeyword("vrrp_instance", "advert_int", String(intervalMs / 1000)),
        setKeyword("vrrp_instance", "version", "3"),
      ]),
  };
}

export const every100Ms = version3(100);
export const every10Ms = version3(10);
