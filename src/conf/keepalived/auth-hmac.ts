/** Keywords of `auth_hmac`, new in keepalived 2.4: keys, and how adverts are signed and judged. keepalived: vrrp_parser.c. */
import { type Bytes, fromUtf8, latin1 } from "../../base/bytes.ts";
import type { AuthHmac, HmacKey } from "./config.ts";
import type { InstanceDraft } from "./drafts.ts";
import type { Interpreter, Keywords, Line } from "./interpreter.ts";
import { readInteger } from "./numbers.ts";
import { keyword } from "./slots.ts";
import type { TrackContext } from "./tracks.ts";

const MIN_KEY_BYTES = 32;
const MAX_KEY_BYTES = 64;
/** `hex:`, twice the longest key, and some slack. */
const MAX_FILE_BYTES = 139;
const MAX_WINDOW_S = 300;
/** Of a window that follows from the advert interval. */
const MIN_WINDOW_S = 5;

/** The block while it is read. */
export interface HmacDraft {
  readonly keys: HmacKey[];
  activeKey?: number;
  antiReplay?: "time" | "monotonic";
  windowS?: number;
  mode?: AuthHmac["mode"];
}

/** All keywords of the block; `context` reads keys that are in files. */
export function hmacKeywords(context: TrackContext): Keywords<InstanceDraft> {
  return {
    key: keyword(
      { syntax: "1…255 STRING|hex:DIGITS|file:PATH", doc: `A key of ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes.` },
      (draft, line, scope) => readKey(draft, line, scope, context),
    ),
    active_key: keyword({ syntax: "1…255", doc: "The key that our adverts are signed with." }, (draft, line, scope) => {
      const id = readNumber(draft, line, scope, [1, 255], (text) => `active_key '${text}' must be between 1 and 255`);
      if (id !== undefined) hmacOf(draft).activeKey = id;
    }),
    time_window: keyword(
      {
        syntax: `1…${MAX_WINDOW_S}`,
        default: "3 × advert_int, at least 5",
        doc: "Seconds that a signed advert is good for.",
      },
      (draft, line, scope) => {
        const range = `must be between 1 and ${MAX_WINDOW_S} seconds`;
        const value = readNumber(draft, line, scope, [1, MAX_WINDOW_S], (text) => `time_window '${text}' ${range}`);
        if (value !== undefined) hmacOf(draft).windowS = value;
      },
    ),
    anti_replay: keyword(
      {
        syntax: "time|monotonic",
        default: "time",
        doc: "What keeps old adverts from being sent again: the clock, or their order.",
      },
      (draft, line, scope) => {
        const text = scope.word(line, 1);
        if (text === "time" || text === "monotonic") hmacOf(draft).antiReplay = text;
        else if (text !== undefined) warn(draft, line, scope, `anti_replay '${text}' must be time or monotonic`);
      },
    ),
    mode: keyword(
      {
        syntax: "enforce|permissive|receive-only",
        default: "enforce",
        doc: "Whose adverts must be signed; receive-only: not even ours are.",
      },
      (draft, line, scope) => {
        const text = scope.word(line, 1);
        if (text === "enforce" || text === "permissive" || text === "receive-only") hmacOf(draft).mode = text;
        else if (text !== undefined)
          warn(draft, line, scope, `mode '${text}' must be enforce, permissive or receive-only`);
      },
    ),
  };
}

/** Begins the block. */
export function hmacOf(draft: InstanceDraft): HmacDraft {
  draft.hmac ??= { keys: [] };
  return draft.hmac;
}

function warn({ name }: InstanceDraft, line: Line, scope: Interpreter, message: string): void {
  scope.report("warn", `(${name}) auth_hmac ${message}`, line.position);
}

function readNumber(
  draft: InstanceDraft,
  line: Line,
  scope: Interpreter,
  [min, max]: readonly [number, number],
  invalid: (text: string) => string,
): number | undefined {
  const text = scope.word(line, 1);
  if (text === undefined) return undefined;
  const read = readInteger(text, min, max);
  if (read.ok) return read.value;
  scope.report("warn", read.reason, line.position);
  warn(draft, line, scope, invalid(text));
  return undefined;
}

function readKey(draft: InstanceDraft, line: Line, scope: Interpreter, context: TrackContext): void {
  const [, , value] = line.words;
  if (value === undefined) {
    warn(draft, line, scope, "key needs an id and a value");
    return;
  }
  const invalid = (text: string): string => `key id '${text}' must be between 1 and 255`;
  const id = readNumber(draft, line, scope, [1, 255], invalid);
  if (id === undefined) return;
  const text = value.startsWith("file:") ? keyInFile(draft, line, scope, context, value.slice(5)) : value;
  const bytes = text === undefined ? new Uint8Array(0) : decodeKey(text);
  const { keys } = hmacOf(draft);
  if (bytes.length < MIN_KEY_BYTES || bytes.length > MAX_KEY_BYTES) {
    const range = `[${MIN_KEY_BYTES}, ${MAX_KEY_BYTES}]`;
    warn(draft, line, scope, `key ${id} length ${bytes.length} not in range ${range}`);
  } else if (keys.some((known) => known.id === id))
    scope.report("warn", `(${draft.name}) duplicate auth_hmac key id ${id}`, line.position);
  else keys.push(Object.freeze({ id, bytes }));
}

/** `hex:` and an even number of digits, or the bytes of the text itself. */
function decodeKey(text: string): Bytes {
  if (!text.startsWith("hex:")) return fromUtf8(text);
  const digits = text.slice(4);
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) return new Uint8Array(0);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function keyInFile(
  draft: InstanceDraft,
  line: Line,
  scope: Interpreter,
  { config, machine, reader }: TrackContext,
  path: string,
): string | undefined {
  const read = reader?.read(path);
  if (read === undefined || "errno" in read) {
    warn(draft, line, scope, `key file '${path}' cannot be opened`);
    return undefined;
  }
  if (machine?.isOpenToOthers(path) === true) {
    config.isSecretOpen = true;
    warn(draft, line, scope, `key file '${path}' is readable by group or others`);
  }
  if (read.length > MAX_FILE_BYTES) {
    warn(draft, line, scope, `key file '${path}' is too large`);
    return undefined;
  }
  return latin1(read).replace(/[\r\n]+$/, "");
}

/** What an instance's block comes to; `isStrict`: nothing but enforce will do. */
export function completeHmac(
  { hmac }: InstanceDraft,
  advertIntervalMs: number,
  isStrict: boolean,
  say: (message: string) => void,
): AuthHmac | undefined {
  if (hmac === undefined) return undefined;
  const { keys, activeKey = 0, antiReplay = "time", windowS } = hmac;
  const active = keys.find(({ id }) => id === activeKey);
  if (active === undefined) {
    say(`auth_hmac active_key ${activeKey} is not defined, disabling extension`);
    return undefined;
  }
  let mode = hmac.mode ?? "enforce";
  if (isStrict && mode !== "enforce") {
    say("strict mode requires auth_hmac mode enforce");
    mode = "enforce";
  }
  const derivedS = Math.min(MAX_WINDOW_S, Math.max(MIN_WINDOW_S, 3 * Math.floor(advertIntervalMs / 1000)));
  return Object.freeze({
    keys: Object.freeze([...keys]),
    activeKey: active,
    antiReplay,
    windowS: windowS ?? derivedS,
    mode,
  });
}

/** True when adverts of this instance will have a trailer, which takes room in a packet. */
export function isSigning({ hmac }: InstanceDraft): boolean {
  return hmac !== undefined && hmac.mode !== "receive-only" && hmac.keys.some(({ id }) => id === hmac.activeKey);
}
