/** What a client says of where it comes from and what it is: referer and browser, nginx's answers beside ours where it is installed. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { SideBySide } from "./support/side-by-side.ts";

const HTTP = `
  access_log off;
  server { listen 127.0.0.1:%PORT%; server_name localhost "" *.named.org mail.* ~^re\\d+\\.org$ ~^BIG$;
    location / { return 200 "[$invalid_referer]"; }
    location /hosts { valid_referers www.Example.org EXAMPLE.com .dot.org *.star.org back.*; return 200 "[$invalid_referer]"; }
    location /none { valid_referers none example.org; return 200 "[$invalid_referer]"; }
    location /blocked { valid_referers blocked example.org; return 200 "[$invalid_referer]"; }
    location /uri { valid_referers example.org/path *.star.org/Sub example.*/x; return 200 "[$invalid_referer]"; }
    location /empty { valid_referers /only; return 200 "[$invalid_referer]"; }
    location /names { valid_referers server_names; return 200 "[$invalid_referer]"; }
    location /more { valid_referers server_names www.more.org ~more/page; return 200 "[$invalid_referer]"; }
    location /regex { valid_referers ~\\.reg\\. ~(?-i)^Case ~^www\\.end\\.org/$; return 200 "[$invalid_referer]";
      location /regex/inner { valid_referers example.org; return 200 "[$invalid_referer]"; }
      location /regex/other { valid_referers ~^other; return 200 "[$invalid_referer]"; }
      location /regex/same { return 200 "[$invalid_referer]"; }
    }
    location /set { valid_referers example.org; set $before "$invalid_referer"; set $invalid_referer own; return 200 "[$before|$invalid_referer]"; }
    location /agent { modern_browser_value new; ancient_browser_value "very old"; return 200 "[$modern_browser|$ancient_browser|$msie]";
      location /agent/list { modern_browser msie 5.5; modern_browser gecko 1.0.0.1; modern_browser opera 9.0; modern_browser safari 413; modern_browser konqueror 3.4;
        return 200 "[$modern_browser|$ancient_browser|$msie]"; }
      location /agent/msie { modern_browser MSIE 6; return 200 "[$modern_browser|$ancient_browser|$msie]"; }
      location /agent/unlisted { modern_browser msie 6.0; modern_browser unlisted; ancient_browser Links Lynx netscape4; return 200 "[$modern_browser|$ancient_browser|$msie]";
        location /agent/unlisted/same { return 200 "[$modern_browser|$ancient_browser|$msie]"; }
        location /agent/unlisted/none { ancient_browser ""; return 200 "[$modern_browser|$ancient_browser|$msie]"; }
        location /agent/unlisted/modern { modern_browser gecko 1; return 200 "[$modern_browser|$ancient_browser|$msie]"; }
      }
      location /agent/ancient { modern_browser unlisted; ancient_browser Links; ancient_browser "MSIE 4" netscape4; return 200 "[$modern_browser|$ancient_browser|$msie]"; }
    }
    location /plain { modern_browser unlisted; return 200 "[$modern_browser|$ancient_browser]"; }
    location /given { set $msie "x"; return 200 "[$msie]"; }
  }`;

const REFERERS = [
  "",
  "http://",
  "http://i.r",
  "http://i.ru",
  "http:///x",
  "http:///only",
  "http:///onlyx",
  "www.example.org",
  "ftp://www.example.org",
  "http://www.example.org",
  "HTTPS://WWW.EXAMPLE.ORG",
  "http://www.example.org:80/x",
  "http://example.org",
  "http://example.org.",
  "http://example.com/",
  "http://www.example.com",
  "http://dot.org",
  "http://a.dot.org",
  "http://a.b.dot.org/",
  "http://xdot.org",
  "http://star.org",
  "http://www.star.org/Sub",
  "http://www.star.org/sub",
  "http://www.star.org:8080/Sub/",
  "http://back.com/",
  "http://back.a.b",
  "http://back",
  "http://example.org/path",
  "http://example.org/PATH",
  "http://example.org:1/pathx",
  "http://example.org:/",
  "http://example.org/x",
  "http://example.net/x",
  "http://example.net/y",
  "http://localhost",
  "http://localhost:1/",
  "http://a.named.org",
  "http://named.org",
  "http://mail.org",
  "http://re12.org/x",
  "http://re12.orgs",
  "http://big",
  "http://BIG/",
  "http://more.org/more/page",
  "http://www.more.org",
  "http://x.reg.org",
  "http://X.REG.ORG",
  "http://x.org/?.reg.",
  "http://Case.org",
  "http://case.org",
  "http://www.end.org/",
  "http://www.end.org",
  "http://other.org",
  `http://www.example.org/${"a".repeat(400)}`,
  `http://${"a".repeat(255)}`,
  `http://${"a".repeat(256)}.reg.`,
  `http://x.reg.${"a".repeat(256)}`,
  `http://x.reg.${"a".repeat(249)}`,
  "http://\xe9.star.org/Sub",
  "http://\xc9.reg.",
];
const PLACES = "/ /hosts /none /blocked /uri /empty /names /more /regex /regex/inner /regex/other /regex/same".split(
  " ",
);

const OPERA = "Mozilla/4.0 (compatible; MSIE 6.0; X11; FreeBSD i386) Opera 7.50  [en]";
const FIREFOX = "Mozilla/5.0 (X11; U; FreeBSD i386; en-US; rv:1.8.0.5) Gecko/20060729 Firefox/1.5.0.5";
const SAFARI = "Mozilla/5.0 (Macintosh; U; PPC Mac OS X; en) AppleWebKit/418 (KHTML, like Gecko) Safari/417.9.3";
const AGENTS = [
  "",
  "x",
  OPERA,
  OPERA.replace("7.50", "9.01"),
  "Opera/9.0",
  "Opera/8.99.99",
  "Opera/",
  "Opera",
  "Opera/9x",
  "Opera/10",
  "Opera/8.100",
  "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
  "Mozilla/4.0 (compatible; MSIE 5.01; Windows NT 5.1)",
  "Mozilla/4.0 (compatible; MSIE 5.50; x)",
  "Mozilla/4.0 (compatible; MSIE 4.0; x)",
  "MSIE 6.0",
  "Mozilla/4.0 (compatible; MSIE ",
  "Mozilla/4.0 (compatible; MSIE 5.5.0.1.9",
  "Mozilla/4.0 (compatible; MSIE 5...9",
  FIREFOX,
  FIREFOX.replace("1.8.0.5", "1.0.0"),
  FIREFOX.replace("1.8.0.5", "1.0.0.1"),
  FIREFOX.replace("1.8.0.5", "0.9.9.9.9"),
  FIREFOX.replace("rv:", ""),
  SAFARI,
  SAFARI.replace("417.9.3", "412"),
  SAFARI.replace("417.9.3", "413"),
  "Mozilla/5.0 (compatible; Konqueror/3.4; Linux) KHTML/3.4.2 (like Gecko)",
  "Mozilla/5.0 (compatible; Konqueror/3.3; Linux)",
  "Mozilla/4.72 [en]",
  "Mozilla/4.72 [",
  "Mozilla/5.72 [en]",
  "Mozilla/0.72 [en]",
  "Links (0.96)",
  "links",
  "Lynx/2.8",
  `Opera/${"9".repeat(30)}`,
];
const AGENT_PLACES =
  "/agent /agent/list /agent/msie /agent/unlisted /agent/unlisted/same /agent/unlisted/none /agent/unlisted/modern /agent/ancient /plain".split(
    " ",
  );

describe("referer and browser", { timeout: 60_000 }, () => {
  let both: SideBySide;
  before(async () => {
    both = await SideBySide.start(HTTP);
  });
  after(() => both.stop());

  async function referer(place: string, ...values: readonly string[]): Promise<string> {
    return both.body(place, ...values.map((value) => `Referer: ${value}`));
  }

  test("every referer is valid where nginx says so", async () => {
    for (const place of PLACES) {
      const verdicts = [await referer(place)];
      for (const value of REFERERS) verdicts.push(await referer(place, value));
      const kinds = new Set(verdicts);
      assert.deepEqual(kinds, new Set(place === "/" ? ["[]"] : ["[]", "[1]"]), place);
    }
  });

  test("hosts are compared without case and port, paths with both", async () => {
    assert.equal(await referer("/hosts", "https://WWW.example.ORG:8080/any"), "[]");
    assert.equal(await referer("/hosts", "https://example.org"), "[1]");
    assert.equal(await referer("/uri", "http://example.org:1/pathx"), "[]");
    assert.equal(await referer("/uri", "http://example.org/PATH"), "[1]");
  });

  test("none is a missing referer, blocked one without scheme", async () => {
    assert.equal(await referer("/none"), "[]");
    assert.equal(await referer("/none", ""), "[1]");
    assert.equal(await referer("/blocked"), "[1]");
    assert.equal(await referer("/blocked", "stripped"), "[]");
  });

  test("an inner scope has hosts of its own, and the expressions of the outer one unless it has its own", async () => {
    assert.equal(await referer("/regex/inner", "http://x.reg.org"), "[]");
    assert.equal(await referer("/regex/other", "http://x.reg.org"), "[1]");
    assert.equal(await referer("/regex/same", "http://x.reg.org"), "[]");
  });

  test("a host of more than 256 characters is never valid", async () => {
    assert.equal(await referer("/regex", `http://x.reg.${"a".repeat(250)}`), "[]");
    assert.equal(await referer("/regex", `http://x.reg.${"a".repeat(251)}`), "[1]");
  });

  test("$invalid_referer is remembered, and can be set", async () => {
    assert.equal(await referer("/set", "http://evil"), "[1|own]");
  });

  test("every browser is modern or ancient where nginx says so", async () => {
    const seen = new Set<string>();
    for (const place of AGENT_PLACES) {
      seen.add(await both.body(place));
      for (const agent of AGENTS) seen.add(await both.body(place, `User-Agent: ${agent}`));
    }
    for (const one of ["[new||]", "[new||1]", "[|very old|]", "[|very old|1]", "[1|]"]) assert.ok(seen.has(one), one);
  });

  test("versions have four numbers, of which the first decides", async () => {
    const agent = (version: string): string => `User-Agent: ${FIREFOX.replace("1.8.0.5", version)}`;
    assert.equal(await both.body("/agent/list", agent("1.0.0.1")), "[new||]");
    assert.equal(await both.body("/agent/list", agent("1.0.0.0.9")), "[|very old|]");
    assert.equal(await both.body("/agent/list", agent("2")), "[new||]");
  });

  test("an Opera that nobody has called modern is ancient, whatever it poses as", async () => {
    assert.equal(await both.body("/agent/msie", `User-Agent: ${OPERA}`), "[|very old|]");
  });

  test("$msie can be set", async () => {
    assert.equal(await both.body("/given", "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; x)"), "[x]");
  });
});
