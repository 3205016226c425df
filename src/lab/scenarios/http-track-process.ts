/** The active node's web server dies, and VRRP watches its processes: no script has to notice. */
import type { Scenario } from "../scenario.ts";
import { trackProcess } from "../variants.ts";

export const httpTrackProcess: Scenario = {
  name: "http-track-process",
  title: "web server dead, track_process",
  variant: trackProcess,
  unsuited: (flavours) =>
    Object.values(flavours).some(({ name }) => name === "keepalived")
      ? "keepalived is told of processes by the kernel's connector, which speaks to the machine's first network namespace only"
      : undefined,
  async run(stage) {
    const { active, standby } = stage;
    await stage.makeWell();
    stage.step(`keep the web server of ${active} dead`);
    const mark = stage.begin();
    await stage.suppressHttp(active, true);
    await stage.untilAnswers(standby, stage.skewMs(standby));
    return stage.end(mark, { ms: stage.skewMs(standby), by: `skew of ${standby}` }, [stage.expectOwner(standby)]);
  },
};
