/** Reads a keepalived.conf from this machine's disk, for this machine. */
import { type LoadedKeepalived, loadKeepalived } from "../conf/keepalived/load.ts";
import { LocalMachine, shortHostName } from "./local-machine.ts";
import type { RunningConfiguration } from "./node-files.ts";
import { RecordingReader } from "./recorded-files.ts";

export interface KeepalivedRequest {
  readonly file: string;
  /** `-i`; undefined: the short host name. */
  readonly configId: string | undefined;
  /** `-e`: a missing include is an error. */
  readonly includeMustExist?: boolean;
}

/** A configuration with the files that it was read from. */
export interface LoadedFromDisk extends LoadedKeepalived {
  readonly source: RunningConfiguration["keepalived"];
}

/** The configuration and what is to be said about it. Never throws on what is in the file. */
export function loadKeepalivedConfiguration(request: KeepalivedRequest): LoadedFromDisk {
  const reader = new RecordingReader();
  const configId = request.configId ?? shortHostName();
  const loaded = loadKeepalived(request.file, {
    reader,
    configId,
    environment: (name) => process.env[name],
    random: (min, max) => min + Math.floor(Math.random() * (max - min + 1)),
    includeMustExist: request.includeMustExist ?? false,
    machine: new LocalMachine(),
  });
  return { ...loaded, source: { file: request.file, configId, recorded: reader.recorded } };
}
