/** `garp_extra_if`: for which addresses something is sent now and then, on links that no adverts pass. keepalived: vrrp_send_vmac_update. */
import type { VirtualAddress, VrrpInstance } from "../conf/keepalived/config.ts";
import { virtualLinksOf } from "./links.ts";

/** One address for each such link: those that the instance has made, or all; none unless it makes one besides its own, or all count. */
export function extraAnnouncements(instance: VrrpInstance): readonly VirtualAddress[] {
  const { announce, addresses, excludedAddresses, advertInterface, virtualLink, sendsFromBase } = instance;
  if (announce.extraIntervalMs === 0) return [];
  const made = new Set(virtualLinksOf(instance).map(({ name }) => name));
  const passed = virtualLink === undefined ? advertInterface : sendsFromBase ? undefined : virtualLink.name;
  const links = new Set<string>();
  return [...addresses, ...excludedAddresses].filter(({ interface: name }) => {
    if (name === undefined || name === passed || links.has(name)) return false;
    if (!made.has(name) && !announce.extraEverywhere) return false;
    links.add(name);
    return true;
  });
}
