/** The programs that check scripts use: what they print and return, seen from an imagined node. */
import type { Command } from "./shell.ts";
import type { Deed, World } from "./shell-run.ts";

/** What a program finds when it is called. */
export interface CommandContext {
  /** Name and arguments; undefined: text that is not known. */
  readonly words: readonly (string | undefined)[];
  /** Targets of its redirections, as written. */
  readonly targets: readonly string[];
  /** Standard input from the pipeline; undefined: not known. */
  readonly input: string | undefined;
  readonly world: World;
  /** `$?` before. */
  readonly status: number | undefined;
  /** The commands behind it in the pipeline, which `ps` sees, too. */
  readonly following: readonly Command[];
  note(kind: Deed["kind"], detail: string): void;
}

/** What a program did. */
export interface CommandResult {
  readonly status: number | undefined;
  readonly output: string | undefined;
  readonly seconds?: number;
  readonly world?: World;
  readonly isExit?: boolean;
  readonly isReturn?: boolean;
  readonly variables?: readonly (readonly [string, string | undefined])[];
  readonly isUnknown?: boolean;
}

/** Of a program that nothing is known about. */
export const UNKNOWN: CommandResult = { status: undefined, output: undefined, isUnknown: true };

const quiet = (status: number | undefined): CommandResult => ({ status, output: "" });
const prints = (output: string): CommandResult => ({ status: 0, output });

/** Dashes that look like a minus sign and are none: what word processors and web pages make of it. */
export const FALSE_DASH = /[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]/;

/** Command lines of the service's processes, as `ps -ef` shows them. */
function processesOf({ service, isServiceRunning }: World): readonly string[] {
  if (!isServiceRunning) return [];
  return service === "nginx"
    ? ["nginx: master process /usr/sbin/nginx", "nginx: worker process"]
    : [`/usr/sbin/${service}`];
}

/** All known programs by their base name. */
export const COMMANDS: Readonly<Record<string, (context: CommandContext) => CommandResult>> = {
  ps,
  pgrep: processQuery,
  pidof: processQuery,
  killall: kill,
  pkill: kill,
  kill: ({ note, words }) => {
    if (words.slice(1).some((word) => word === undefined || /keepalived/.test(word))) note("stop-keepalived", "kill");
    return quiet(undefined);
  },
  systemctl: service,
  service,
  keepalived: ({ note }) => {
    note("stop-keepalived", "keepalived");
    return quiet(undefined);
  },
  nginx,
  wc: ({ input, words }) => {
    if (input === undefined) return { status: 0, output: undefined };
    const lines = input === "" ? 0 : input.replace(/\n$/, "").split("\n").length;
    return words.includes("-l") ? prints(`${lines}\n`) : { status: 0, output: undefined };
  },
  grep,
  egrep: grep,
  fgrep: grep,
  cat: ({ words, input }) =>
    words.length === 1 && input !== undefined ? prints(input) : { status: undefined, output: undefined },
  head: passes,
  tail: passes,
  sort: passes,
  uniq: passes,
  test: ({ words }) => quiet(evaluateTest(words.slice(1))),
  "[": ({ words }) => quiet(evaluateTest(words.slice(1, -1))),
  "[[": ({ words }) => quiet(evaluateTest(words.slice(1, -1))),
  curl: probe,
  wget: probe,
  sleep: ({ words, note }) => {
    const match = /^([0-9.]+)([smh]?)$/.exec(words[1] ?? "");
    void note;
    if (match === null) return { status: 0, output: "", seconds: 0 };
    const unit = { "": 1, s: 1, m: 60, h: 3600 }[match[2] as "" | "s" | "m" | "h"];
    return { status: 0, output: "", seconds: Number(match[1]) * unit };
  },
  exit: ({ words, status }) => {
    const given = words.length > 1 ? words[1] : undefined;
    const known = given === undefined ? (words.length > 1 ? undefined : status) : Number(given) & 255;
    return { status: known, output: "", isExit: true };
  },
  return: ({ words, status }) => ({
    status: words.length > 1 ? (words[1] === undefined ? undefined : Number(words[1]) & 255) : status,
    output: "",
    isReturn: true,
  }),
  exec: openConnection,
  read: readAnswer,
  nc: ({ words, world }) => {
    const isLocal = words.some((word) => word !== undefined && /^(127\.|localhost$|::1$)/.test(word));
    return isLocal ? quiet(world.isServiceRunning ? 0 : 1) : { status: undefined, output: undefined };
  },
  echo: ({ words }) => {
    const text = words.slice(1).filter((word) => word !== "-n");
    return { status: 0, output: text.includes(undefined) ? undefined : `${text.join(" ")}\n` };
  },
  printf: ({ targets }) => ({ status: 0, output: targets.length > 0 ? "" : undefined }),
  logger: () => quiet(0),
  date: () => ({ status: 0, output: undefined }),
  hostname: () => ({ status: 0, output: undefined }),
  true: () => quiet(0),
  ":": () => quiet(0),
  false: () => quiet(1),
  export: () => quiet(0),
  cd: () => quiet(0),
  touch: () => quiet(0),
  set: () => quiet(0),
  awk: () => ({ status: 0, output: undefined }),
  sed: () => ({ status: 0, output: undefined }),
  cut: () => ({ status: 0, output: undefined }),
  tr: () => ({ status: 0, output: undefined }),
};

function passes({ input }: CommandContext): CommandResult {
  return { status: 0, output: input };
}

/** `ps -C nginx`, `ps -ef`, `ps aux`: lines of text, as `grep` and `wc` will see them. */
function ps({ words, world, following, note }: CommandContext): CommandResult {
  const args = words.slice(1);
  const bad = args.find((word) => word !== undefined && FALSE_DASH.test(word));
  if (bad !== undefined) {
    note("bad-dash", bad);
    return quiet(1);
  }
  if (args.includes(undefined)) return { status: undefined, output: undefined };
  const options = args as string[];
  const hasHeader = !options.some((word) => /^(--no-headers?|h|--no-heading)$/.test(word) || /=$/.test(word));
  const at = options.indexOf("-C");
  const header = hasHeader ? ["PID TTY TIME CMD"] : [];
  const running = processesOf(world);
  if (at >= 0) {
    if (options[at + 1] !== world.service) return { status: undefined, output: undefined };
    return {
      status: running.length > 0 ? 0 : 1,
      output: lines([...header, ...running.map(() => `1 ? 00:00:00 ${world.service}`)]),
    };
  }
  const isAll = options.some((word) => /^(-?a?u?x|-?aux|-?ax|-e[fF]?|-A|ax|aux|-aux|auxw+|-efw*|-elf)$/.test(word));
  if (!isAll) return { status: 0, output: undefined };
  const pipeline = following.flatMap((command) => (command.kind === "simple" ? [sourceOf(command)] : []));
  return prints(lines([...header, ...running, `/bin/bash ${world.scriptPath}`, ...pipeline]));
}

function sourceOf(command: Extract<Command, { kind: "simple" }>): string {
  return command.words
    .map((word) => word.parts.map((part) => (part.kind === "text" ? part.text : "")).join(""))
    .join(" ");
}

function lines(list: readonly string[]): string {
  return list.map((line) => `${line}\n`).join("");
}

/** Options that take nothing from the input line by line. */
function grep({ words, input }: CommandContext): CommandResult {
  const options = words.slice(1).filter((word) => word?.startsWith("-") === true);
  const [pattern, ...files] = words.slice(1).filter((word) => word?.startsWith("-") !== true);
  if (input === undefined || pattern === undefined || files.length > 0) return { status: undefined, output: undefined };
  const flags = options.join("");
  if (/[^-vciqEFwx]/.test(flags)) return { status: undefined, output: undefined };
  let expression: RegExp;
  try {
    const source = flags.includes("F") ? pattern.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") : pattern;
    expression = new RegExp(flags.includes("w") ? `\\b(?:${source})\\b` : source, flags.includes("i") ? "i" : "");
  } catch {
    return { status: undefined, output: undefined }; // grep's expressions are not quite ours
  }
  const all = input === "" ? [] : input.replace(/\n$/, "").split("\n");
  const found = all.filter((line) => expression.test(line) !== flags.includes("v"));
  const status = found.length > 0 ? 0 : 1;
  if (flags.includes("q")) return quiet(status);
  return { status, output: flags.includes("c") ? `${found.length}\n` : lines(found) };
}

/** `pgrep NAME`, `pidof NAME`: process ids, and a status that says whether there are any. */
function processQuery({ words, world }: CommandContext): CommandResult {
  const target = words.slice(1).find((word) => word?.startsWith("-") !== true);
  if (target === undefined || target.slice(target.lastIndexOf("/") + 1) !== world.service)
    return { status: undefined, output: undefined };
  return world.isServiceRunning ? prints("4711\n") : quiet(1);
}

/** `killall -0 NAME` asks; `killall keepalived` ends. */
function kill({ words, world, note }: CommandContext): CommandResult {
  const args = words.slice(1);
  const isQuestion = args.some((word) => word === "-0" || word === "-s0");
  const target = args.findLast((word) => word?.startsWith("-") !== true);
  if (target === undefined) return quiet(undefined);
  if (/keepalived/.test(target)) {
    if (!isQuestion) note("stop-keepalived", words.join(" "));
    return quiet(0);
  }
  if (!target.includes(world.service)) return quiet(undefined);
  const status = world.isServiceRunning ? 0 : 1;
  if (isQuestion) return quiet(status);
  note("stop-service", words.join(" "));
  return { ...quiet(status), world: { ...world, isServiceRunning: false } };
}

/** `systemctl VERB UNIT` and `service UNIT VERB`. */
function service({ words, world, note }: CommandContext): CommandResult {
  const args = words.slice(1).filter((word) => word?.startsWith("-") !== true);
  const units = [world.service, "keepalived"].flatMap((name) => [name, `${name}.service`]);
  const unit = args.find((word) => word !== undefined && units.includes(word));
  const verb = args.find(
    (word) => word !== undefined && /^(start|restart|stop|reload|status|is-active|kill)$/.test(word),
  );
  if (unit === undefined || verb === undefined) return quiet(undefined);
  if (unit.startsWith("keepalived")) {
    if (verb === "stop" || verb === "kill") note("stop-keepalived", words.join(" "));
    return quiet(0);
  }
  if (verb === "start" || verb === "restart") return startService(world, words.join(" "), note);
  if (verb === "stop" || verb === "kill") {
    note("stop-service", words.join(" "));
    return { ...quiet(0), world: { ...world, isServiceRunning: false } };
  }
  const state = world.isServiceRunning ? "active\n" : "inactive\n";
  return { status: world.isServiceRunning ? 0 : 3, output: verb === "is-active" ? state : undefined };
}

function startService(world: World, detail: string, note: CommandContext["note"]): CommandResult {
  note("start-service", detail);
  // A second one cannot bind the ports of the first.
  if (world.isServiceRunning || !world.canStart) return quiet(1);
  return { ...quiet(0), world: { ...world, isServiceRunning: true } };
}

function nginx({ words, world, note }: CommandContext): CommandResult {
  if (world.service !== "nginx") return UNKNOWN;
  const signal = words.indexOf("-s");
  if (signal >= 0) {
    const verb = words[signal + 1];
    if (verb !== "stop" && verb !== "quit") return quiet(world.isServiceRunning ? 0 : 1);
    note("stop-service", words.join(" "));
    return { ...quiet(world.isServiceRunning ? 0 : 1), world: { ...world, isServiceRunning: false } };
  }
  if (words.some((word) => word === "-t" || word === "-v" || word === "-V")) return quiet(undefined);
  return startService(world, words[0] ?? "nginx", note);
}

/** A request to this node: it succeeds while the service runs. */
function probe({ words, world, note }: CommandContext): CommandResult {
  const url = words.findLast((word) => word?.startsWith("-") !== true && words.indexOf(word) > 0);
  if (url === undefined || !/127\.0\.0\.1|localhost|\[::1\]/.test(url)) return { status: undefined, output: undefined };
  note("ask", url);
  const code = words.some((word) => word?.includes("http_code"));
  const isUp = world.isServiceRunning;
  const status = isUp ? 0 : 7;
  if (code) return { status, output: isUp ? "200" : "000" };
  return { status, output: words.some((word) => word === "-o" || word === "/dev/null") ? "" : undefined };
}

/** bash's `exec 3<>/dev/tcp/127.0.0.1/80`: a connection to the service, if it is there. */
function openConnection({ targets, words, world, note }: CommandContext): CommandResult {
  const isTcp = targets.some((target) => /^\/dev\/tcp\/(127\.\d+\.\d+\.\d+|localhost|::1)\/\d+$/.test(target));
  if (!isTcp) return words.length === 1 ? quiet(0) : UNKNOWN;
  note("ask", targets.join(" "));
  if (!world.isServiceRunning) return quiet(1);
  return { ...quiet(0), world: { ...world, isConnected: true } };
}

/** `read _ status _ <&3`: the first line of the answer, when a connection is open. */
function readAnswer({ words, world }: CommandContext): CommandResult {
  const names: string[] = [];
  for (let at = 1; at < words.length; at++) {
    const word = words[at];
    if (word === "-t" || word === "-u" || word === "-n" || word === "-p") at++;
    else if (word !== undefined && !word.startsWith("-")) names.push(word);
  }
  const answer = ["HTTP/1.1", "200", "OK"];
  const isKnown = world.isConnected === true && world.isServiceRunning;
  const variables = names.map((name, index) => [name, isKnown ? (answer[index] ?? "") : undefined] as const);
  return { status: isKnown ? 0 : undefined, output: "", variables };
}

/** `test`: 0 true, 1 false, 2 malformed, undefined when it depends on what is not known. */
function evaluateTest(words: readonly (string | undefined)[]): number | undefined {
  if (words[0] === "!") {
    const inner = evaluateTest(words.slice(1));
    return inner === undefined || inner > 1 ? inner : 1 - inner;
  }
  for (const [joint, stop] of [
    ["-o", 0],
    ["||", 0],
    ["-a", 1],
    ["&&", 1],
  ] as const) {
    const at = words.indexOf(joint);
    if (at <= 0) continue;
    const left = evaluateTest(words.slice(0, at));
    const right = evaluateTest(words.slice(at + 1));
    if (left === stop || right === stop) return stop;
    return left === undefined || right === undefined ? undefined : 1 - stop;
  }
  const [a, operator, b] = words;
  if (words.length === 3) return compare(a, operator, b);
  if (words.length === 2) {
    if (a === "-z") return operator === undefined ? undefined : Number(operator !== "");
    if (a === "-n") return operator === undefined ? undefined : Number(operator === "");
    if (a !== undefined && a in NUMERIC) return 2;
    // Files of the node.
    return a?.startsWith("-") === true ? undefined : 2;
  }
  if (words.length === 1) return a === undefined ? undefined : Number(a === "");
  return words.length === 0 ? 1 : 2;
}

const NUMERIC: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "-eq": (a, b) => a === b,
  "-ne": (a, b) => a !== b,
  "-gt": (a, b) => a > b,
  "-ge": (a, b) => a >= b,
  "-lt": (a, b) => a < b,
  "-le": (a, b) => a <= b,
};

function compare(a: string | undefined, operator: string | undefined, b: string | undefined): number | undefined {
  if (a === undefined || b === undefined || operator === undefined) return undefined;
  if (operator === "=" || operator === "==") return Number(a !== b);
  if (operator === "!=") return Number(a === b);
  const numeric = NUMERIC[operator];
  if (numeric === undefined) return undefined;
  if (!/^\s*-?\d+\s*$/.test(a) || !/^\s*-?\d+\s*$/.test(b)) return 2;
  return Number(!numeric(Number(a), Number(b)));
}
