/** Listening addresses against virtual addresses. */
import { parseIp, printIp } from "../../base/ip.ts";
import type { Found, Rule } from "../finding.ts";
import { type CheckedNode, nodesOf, type Subject } from "../subject.ts";

export const nginxListen: Rule<Subject> = {
  id: "nginx-listen",
  doc: "nginx does not listen on the virtual address, or only where the address is at the moment.",
  check: (subject) => {
    const found = new Map<string, Found>();
    for (const node of nodesOf(subject)) for (const one of listens(node)) found.set(`${one.title}`, one);
    return [...found.values()];
  },
};

function listens(node: CheckedNode): Found[] {
  const { nginx } = node;
  if (nginx === undefined || nginx.listens.length === 0) return [];
  const virtual = node.config.instances.flatMap(({ addresses, excludedAddresses }) => [
    ...addresses,
    ...excludedAddresses,
  ]);
  return virtual.flatMap(({ address }): Found[] => {
    const text = printIp(address);
    const any = address.length === 4 ? "*" : "[::]";
    const covering = nginx.listens.filter(
      ({ address: bound }) => bound === any || bound === "0.0.0.0" || (any === "[::]" && bound === "[::]:"),
    );
    const exact = nginx.listens.filter(({ address: bound }) => {
      const parsed = bound === undefined ? undefined : parseIp(bound.replace(/^\[|\]$/g, ""));
      return parsed !== undefined && printIp(parsed) === text;
    });
    const [first] = nginx.listens;
    if (covering.length === 0 && exact.length === 0 && first !== undefined)
      return [
        {
          severity: "error",
          title: `nginx does not listen on the virtual address ${text}`,
          why: `It listens on ${nginx.listens.map(({ address: bound, port }) => `${bound}:${port}`).join(", ")} only. The address moves, and nobody answers on it.`,
          fix: address.length === 4 ? `listen ${first.port}; (all addresses)` : `listen [::]:${first.port};`,
          places: nginx.listens.map(({ place }) => place),
        },
      ];
    const [bound] = exact;
    if (covering.length > 0 || bound === undefined) return [];
    return [
      {
        severity: "warning",
        title: `nginx listens on ${text} itself, which only the active node has`,
        why: "On the backup nginx can't bind it: it does not start (Cannot assign requested address), and is not there when the address comes.",
        fix: `listen ${bound.port}; for all addresses, or sysctl net.ipv4.ip_nonlocal_bind=1 on both nodes`,
        places: [bound.place],
      },
    ];
  });
}
