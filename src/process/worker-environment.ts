/** What workers see of the environment. nginx: ngx_set_environment. */
import type { CoreConf } from "./core-module.ts";

/** TZ and what `env` names, from the environment of this program. */
export function environmentOf(env: CoreConf["env"], environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept: NodeJS.ProcessEnv = {};
  const names = env.some(({ name }) => name === "TZ") ? env : [{ name: "TZ", value: undefined }, ...env];
  for (const { name, value } of names) {
    const text = value ?? environment[name];
    if (text !== undefined) kept[name] = text;
  }
  return kept;
}
