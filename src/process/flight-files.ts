/** Flight records on disk: one pair of files for each change of role, `….json` for `tandem why` and `….pcap` for Wireshark, a bounded number. */
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { FlightSettings } from "../conf/keepalived/config.ts";

/** Used without `flight_recorder_dir` when it is there: what `tandem install-service` has systemd make. */
export const DEFAULT_FLIGHT_FOLDER = "/var/lib/tandem/flights";
/** A record of ten minutes has some hundred KB. */
export const MAX_RECORD_BYTES = 4 << 20;
const NAME = /^flight-.*\.(json|pcap)$/;

/** What is to be saved, in both forms. */
export interface FlightText {
  readonly json: string;
  /** undefined: the text stands alone. */
  readonly pcap: Uint8Array | undefined;
}

/** Writes the files of a record and removes the oldest ones; the path of the first, undefined when no folder is there for it. */
export async function saveFlight(
  settings: FlightSettings,
  { what, wallMs }: { readonly what: string; readonly wallMs: number },
  text: FlightText,
): Promise<string | undefined> {
  const { folder = DEFAULT_FLIGHT_FOLDER, files } = settings;
  if (files === 0) return undefined;
  if (settings.folder !== undefined) await mkdir(folder, { recursive: true, mode: 0o750 });
  else if (!(await isFolder(folder))) return undefined;
  const instant = new Date(wallMs).toISOString().replaceAll(":", "-");
  const name = `flight-${instant}-${what.replaceAll(/[^\w.-]+/g, "_").slice(0, 80)}`;
  const target = path.join(folder, `${name}.json`);
  if (text.pcap !== undefined) await writeWhole(path.join(folder, `${name}.pcap`), text.pcap);
  await writeWhole(target, text.json);
  await prune(folder, files);
  return target;
}

async function isFolder(folder: string): Promise<boolean> {
  try {
    return (await stat(folder)).isDirectory();
  } catch {
    return false;
  }
}

/** A file is there whole or not at all, also on a full disk. */
async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const unfinished = `${file}.unfinished`;
  try {
    await writeFile(unfinished, content, { mode: 0o640 });
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** Names begin with their instant, so their order is that of time. */
async function prune(folder: string, keep: number): Promise<void> {
  const names = [
    ...new Set((await readdir(folder)).filter((name) => NAME.test(name)).map((name) => name.slice(0, -5))),
  ];
  for (const name of names.sort().slice(0, Math.max(0, names.length - keep)))
    for (const extension of ["json", "pcap"]) await rm(path.join(folder, `${name}.${extension}`), { force: true });
}
