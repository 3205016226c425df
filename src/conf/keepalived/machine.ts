/** What a configuration is checked against: the node that it is for. Without one, everything is taken to be there. */

/** How a script's path looks to the user who would run it. */
export type ScriptState =
  | "ok"
  /** Not found, or a folder on the way may not be searched. */
  | "missing"
  /** Not a regular file, or somebody else than root may write it or a folder on its path. */
  | "insecure"
  | "not-executable";

/** Facts of the node, asked for while a configuration is checked. */
export interface Machine {
  interfaceState(name: string): "absent" | "loopback" | "present";
  /** What kind of a link on top of another one this is; undefined: none, or of another kind. */
  virtualLinkKind(name: string): "macvlan" | "ipvlan" | undefined;
  hasUser(name: string): boolean;
  hasGroup(name: string): boolean;
  /** `path` may be a bare name, which is then looked up as execvp(3) does. */
  scriptState(path: string, user: string): ScriptState;
  /** True when group or others have any right to the file. */
  isOpenToOthers(path: string): boolean;
  /** Number of CPUs. */
  readonly cpuCount: number;
}
