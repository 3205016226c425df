/** `$modern_browser` and `$ancient_browser`, by what User-Agent says. nginx: ngx_http_browser_module. */
import type { Use } from "../../conf/slot.ts";
import { fold } from "../../conf/slots.ts";
import { USER_AGENT } from "../../wire/http1/fields.ts";
import { recogniseBrowser } from "../head-rules.ts";
import { httpModule } from "../module.ts";
import type { Request } from "../request.ts";

/** How a browser is recognised. */
interface Mark {
  readonly name: string;
  /** The text in front of its version, looked for behind so many characters. */
  readonly text: string;
  readonly skip: number;
}

/** In the order in which they are looked for: Opera poses as others, Safari as Gecko. */
const MARKS: readonly Mark[] = [
  { name: "opera", text: "Opera", skip: 0 },
  { name: "msie", text: "MSIE ", skip: "Mozilla/4.0 (compatible; ".length },
  { name: "gecko", text: "rv:", skip: "Mozilla/5.0 (".length },
  { name: "safari", text: "Safari/", skip: "Mozilla/5.0 (".length },
  { name: "konqueror", text: "Konqueror/", skip: "Mozilla/5.0 (compatible; ".length },
];
const OPERA = 0;
/** Between Opera and its version stands a slash or a space. */
const OPERA_GAP = 1;
/** No version reaches it: an Opera that nobody has called modern must not pass for what it poses as. */
const UNREACHABLE = 4_001_000_000;

/** A line `modern_browser NAME VERSION`. */
interface ModernBrowser {
  /** Index of its mark. */
  readonly mark: number;
  readonly version: number;
}

interface ModernBrowsers {
  readonly browsers: readonly ModernBrowser[];
  /** Browsers that nobody lists are modern. */
  readonly unlisted: boolean;
}

interface AncientBrowsers {
  /** Texts of which one is enough. */
  readonly texts: readonly string[];
  readonly netscape4: boolean;
}

/** The first number counts millions, the next ones ten thousands, hundreds and ones. */
const SCALE = 1_000_000;

/** `8`, `7.50` or `1.0.7.1` as a number. */
function parseVersion(text: string): number | undefined {
  if (!/^[\d.]*$/.test(text)) return undefined;
  let scale = SCALE;
  let version = 0;
  for (const part of text.split(".")) {
    version += Number(part) * scale;
    scale = Math.floor(scale / 100);
  }
  return version;
}

function parseModern(
  use: Use,
  current: ModernBrowsers = { browsers: [], unlisted: false },
): ModernBrowsers | undefined {
  const [name = "", text] = use.args;
  if (text === undefined) {
    // nginx stops here without a word.
    return name === "unlisted"
      ? { ...current, unlisted: true }
      : use.invalid(`takes a browser and its version, or "unlisted"`);
  }
  const mark = MARKS.findIndex((one) => one.name === name.toLowerCase());
  if (mark < 0) return use.fail(`unknown browser name "${name}"`);
  const version = parseVersion(text);
  if (version === undefined) return use.fail(`invalid browser version "${text}"`);
  return { ...current, browsers: [...current.browsers, { mark, version }] };
}

function parseAncient(use: Use, current: AncientBrowsers = { texts: [], netscape4: false }): AncientBrowsers {
  const texts = use.args.filter((word) => word !== "netscape4");
  return {
    texts: [...current.texts, ...texts],
    netscape4: current.netscape4 || texts.length < use.args.length,
  };
}

function valueSlot(doc: string) {
  return fold<string, string>("1", (use) => use.args[0] as string, { syntax: "string", defaultText: "1", doc });
}

const directives = {
  modern_browser: fold<ModernBrowsers, undefined>(undefined, parseModern, {
    args: [1, 2],
    syntax: "browser version | unlisted",
    doc: "A browser that is modern from this version on.",
  }),
  ancient_browser: fold<AncientBrowsers, undefined>(undefined, parseAncient, {
    args: [1, Number.POSITIVE_INFINITY],
    syntax: "string ...",
    doc: "Texts in User-Agent that tell an ancient browser; `netscape4` for Netscape 4 and older.",
  }),
  modern_browser_value: valueSlot("Value of $modern_browser for a modern browser."),
  ancient_browser_value: valueSlot("Value of $ancient_browser for an ancient browser."),
};

/** What a location calls modern. */
interface Rules {
  readonly modern: readonly ModernBrowser[];
  readonly unlisted: boolean;
  readonly texts: readonly string[];
  readonly netscape4: boolean;
}

const NO_RULES: Rules = { modern: [], unlisted: false, texts: [], netscape4: false };

function isModern(request: Request): boolean {
  const { modern, unlisted, texts, netscape4 } = (request.location.prepared.get(browser) as Rules) ?? NO_RULES;
  const agent = request.head.knownValue(USER_AGENT);
  if (agent === undefined) return unlisted;
  for (const one of modern) {
    const found = versionOf(agent, one);
    if (found !== undefined) return found;
  }
  if (modern.length > 0 && !unlisted) return false;
  if (netscape4 && agent.length > "Mozilla/4.72 ".length && /^Mozilla\/[1-4]/.test(agent)) return false;
  return unlisted && !texts.some((text) => agent.includes(text));
}

/** Whether the agent is this browser in a version that is modern; undefined when it is another one. */
function versionOf(agent: string, { mark, version: wanted }: ModernBrowser): boolean | undefined {
  const { text, skip } = MARKS[mark] as Mark;
  const at = skip < agent.length ? agent.indexOf(text, skip) : -1;
  const start = at + text.length + (mark === OPERA ? OPERA_GAP : 0);
  if (at < 0 || start >= agent.length) return undefined;
  let version = 0;
  let scale = SCALE;
  for (const part of (/^[\d.]*/.exec(agent.slice(start)) as RegExpExecArray)[0].split(".")) {
    version += Number(part) * scale;
    if (version > wanted) return true;
    scale = Math.floor(scale / 100);
  }
  return version >= wanted;
}

function modernValue(request: Request): string {
  return isModern(request) ? request.location.scope.conf(browser).modern_browser_value : "";
}

function ancientValue(request: Request): string {
  return isModern(request) ? "" : request.location.scope.conf(browser).ancient_browser_value;
}

export const browser = httpModule({
  name: "browser",
  contexts: "http, server, location",
  directives,
  variables: [
    {
      name: "modern_browser",
      doc: "The value of modern_browser_value for a modern browser, else empty.",
      isChangeable: true,
      get: modernValue,
    },
    {
      name: "ancient_browser",
      doc: "The value of ancient_browser_value for an ancient browser, else empty.",
      isChangeable: true,
      get: ancientValue,
    },
    {
      name: "msie",
      doc: "`1` for any version of MSIE, else empty.",
      isChangeable: true,
      get: (r) => {
        recogniseBrowser(r);
        return r.msie ? "1" : "";
      },
    },
  ],
  prepare: ({ modern_browser: modern, ancient_browser: ancient }): Rules | undefined => {
    if (modern === undefined && ancient === undefined) return undefined;
    const { browsers = [], unlisted = false } = modern ?? {};
    const { texts = [], netscape4 = false } = ancient ?? {};
    const hasOpera = browsers.length === 0 || browsers.some(({ mark }) => mark === OPERA);
    const all = hasOpera ? [...browsers] : [...browsers, { mark: OPERA, version: UNREACHABLE }];
    return { modern: all.sort((a, b) => a.mark - b.mark), unlisted, texts, netscape4 };
  },
});
