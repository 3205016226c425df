/** `interface_up_down_delays`: for how long a link must be up or down before it counts. keepalived: vrrp_parser.c. */
import type { LinkDelay, VrrpInstance } from "./config.ts";
import type { ConfigDraft } from "./drafts.ts";
import type { Keyword } from "./interpreter.ts";
import { readDecimal } from "./numbers.ts";
import type { Report } from "./report.ts";
import { keyword } from "./slots.ts";
import type { TrackContext } from "./tracks.ts";

const MAX_SECONDS = 255;

/** The keyword. */
export function linkDelays({ machine, isDynamic, config }: TrackContext): Keyword<ConfigDraft> {
  return keyword(
    { syntax: "{ INTERFACE DOWN [UP] }", doc: "Seconds for which an interface must be down, or up, before it counts." },
    (draft, _line, scope) => {
      scope.list((line) => {
        const [name = "", ...times] = line.words;
        const seconds = times.slice(0, 2).map((text) => readDecimal(text, 0, MAX_SECONDS));
        for (const read of seconds) if (!read.ok) scope.report("warn", read.reason, line.position);
        if (!isDynamic && machine?.interfaceState(name) === "absent") {
          scope.report("warn", `unknown interface ${name} specified for up/down delay`, line.position);
          config.isTrackedInterfaceMissing = true;
          return;
        }
        const [down, up] = seconds;
        const downMs = down?.ok === true ? down.value * 1000 : 0;
        const known = draft.linkDelays.findIndex((delay) => delay.name === name);
        if (known >= 0) draft.linkDelays.splice(known, 1);
        draft.linkDelays.push({ name, downMs, upMs: up?.ok === true ? up.value * 1000 : downMs });
      });
    },
  );
}

/** A link that is down must be noticed before its backups take over: delays that are too long for an instance on it are none. */
export function usableDelays(
  delays: readonly LinkDelay[],
  instances: readonly VrrpInstance[],
  report: Report,
): readonly LinkDelay[] {
  const isUsable = ({ name, downMs, upMs }: LinkDelay): boolean => {
    const tight = instances.find((instance) => {
      const limitMs = (instance.downTimerAdverts - 1) * instance.advertIntervalMs;
      return instance.interface === name && Math.max(downMs, upMs) >= limitMs;
    });
    if (tight === undefined) return true;
    const most = `${tight.downTimerAdverts - 1} * advert_int`;
    report("info", `${tight.name}: interface ${name} debounce timer(s) not less that ${most} - resetting`);
    return false;
  };
  const links = instances.flatMap(({ virtualLink, addressLinks }) => [virtualLink ?? [], addressLinks].flat());
  // A link of use_vmac goes down together with its base.
  return Object.freeze(
    delays
      .filter(isUsable)
      .flatMap((delay) => [
        delay,
        ...links.filter(({ base }) => base === delay.name).map(({ name }) => ({ ...delay, name })),
      ]),
  );
}
