/** Scripts that root runs without a look at who may write them. */
import type { Found, Rule } from "../finding.ts";
import { nodesOf, placeOf, type Subject } from "../subject.ts";

export const scriptSecurity: Rule<Subject> = {
  id: "script-security",
  doc: "Scripts run as root and nobody checks who may change them.",
  check: (subject) =>
    nodesOf(subject).flatMap((node): Found[] => {
      const { globals, scripts } = node.config;
      if (globals.enableScriptSecurity) return [];
      const asRoot = scripts.filter(
        ({ command }) => (command.user ?? globals.scriptUser ?? { user: "root" }).user === "root",
      );
      const [first] = asRoot;
      if (first === undefined) return [];
      const isChosen = globals.scriptUser !== undefined || first.command.user !== undefined;
      return [
        {
          severity: "warning",
          nodes: [node.label],
          title: `Scripts run as root${isChosen ? "" : " (unless there is a user keepalived_script)"}, without enable_script_security`,
          why: "Whoever can write the script, or a folder on its path, is root on this node. keepalived says SECURITY VIOLATION about it, and its -t ends with 6.",
          fix: "in global_defs: enable_script_security and script_user keepalived_script, a user who may run the script and nothing else",
          places: [placeOf(first, "user", "script")],
        },
      ];
    }),
};
