/** Where keepalived's pid files are when nobody says: by namespace and by instance, so that several of them are no trouble. keepalived: main.c. */
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";

export interface PidFiles {
  readonly parent: string;
  readonly vrrp: string;
  readonly checkers: string;
  /** What `reload_file` means without a name. */
  readonly reload: string;
}

/** `namespace`: the one that the program is in, if it was put there. */
export function defaultPidFiles(
  { instanceName, usesPidFolder }: KeepalivedConfig["globals"],
  namespace: string | undefined,
): PidFiles {
  const tail = `${instanceName === undefined ? "" : `_${instanceName}`}.pid`;
  if (namespace === undefined && !usesPidFolder)
    return {
      parent: `/run/keepalived${tail}`,
      vrrp: `/run/keepalived_vrrp${tail}`,
      checkers: `/run/keepalived_checkers${tail}`,
      reload: "/run/keepalived.reload",
    };
  const folder = `/run/keepalived${namespace === undefined ? "" : `/${namespace}`}`;
  return {
    parent: `${folder}/keepalived${tail}`,
    vrrp: `${folder}/vrrp${tail}`,
    checkers: `${folder}/checkers${tail}`,
    reload: `${folder}/keepalived.reload`,
  };
}

/** What the program is called in the system log. */
export function syslogName(
  { instanceName }: KeepalivedConfig["globals"],
  namespace: string | undefined,
): string | undefined {
  const words = [namespace, instanceName].filter((word) => word !== undefined);
  return words.length === 0 ? undefined : ["Keepalived", ...words].join("_");
}
