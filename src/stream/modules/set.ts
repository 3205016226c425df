/** `set`: gives variables values when a session begins. nginx: ngx_stream_set_module. */
import type { Use } from "../../conf/slot.ts";
import { list } from "../../conf/slots.ts";
import type { Template } from "../../conf/template.ts";
import { parseDefined } from "../../net/variables.ts";
import { streamModule } from "../module.ts";
import { DECLINED } from "../outcome.ts";

interface SetLine {
  readonly variable: string;
  readonly value: Template;
}

function parseSet(use: Use): SetLine | undefined {
  const [name = "", text = ""] = use.args;
  const variable = parseDefined(use, name);
  const value = variable === undefined ? undefined : use.template(text);
  return variable === undefined || value === undefined ? undefined : { variable, value };
}

const directives = {
  set: list(parseSet, {
    in: "stream server",
    args: 2,
    inherit: "none",
    syntax: "$variable value",
    doc: "Gives a variable a value for the session.",
  }),
};

export const set = streamModule({
  name: "stream_set",
  directives,
  phases: {
    preaccess(conf, place) {
      if (conf.set.length === 0) return undefined;
      const lines = conf.set.map(({ variable, value }) => ({
        set: place.setter(variable),
        text: place.compile(value),
      }));
      return (session) => {
        for (const line of lines) line.set(session, line.text(session));
        return DECLINED;
      };
    },
  },
});
