/** The routes port on rtnetlink. */
import type { IpRule } from "../base/ip-route.ts";
import type { RouteRequest, Routes } from "../io/routes.ts";
import type { RoutingFailure } from "../io/routing.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../wire/netlink/message.ts";
import { RTM_DELROUTE, RTM_NEWROUTE } from "../wire/netlink/route.ts";
import { encodeRouteRequest } from "../wire/netlink/route-request.ts";
import { encodeRule, RTM_DELRULE, RTM_NEWRULE } from "../wire/netlink/rule.ts";
import { failureOf, NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";

const NLM_F_APPEND = 0x800;
const MODES = { add: NLM_F_CREATE | NLM_F_EXCL, append: NLM_F_CREATE | NLM_F_APPEND, prepend: NLM_F_CREATE } as const;

export class KernelRoutes implements Routes {
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE);

  addRoute(route: RouteRequest): RoutingFailure | undefined {
    const body = encodeRouteRequest(route, "add");
    return failureOf("add route", this.#socket.change(RTM_NEWROUTE, MODES[route.mode], body));
  }

  removeRoute(route: RouteRequest): RoutingFailure | undefined {
    return failureOf("remove route", this.#socket.change(RTM_DELROUTE, 0, encodeRouteRequest(route, "remove")));
  }

  addRule(rule: IpRule): RoutingFailure | undefined {
    return failureOf("add rule", this.#socket.change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, encodeRule(rule)));
  }

  removeRule(rule: IpRule): RoutingFailure | undefined {
    return failureOf("remove rule", this.#socket.change(RTM_DELRULE, 0, encodeRule(rule)));
  }

  close(): void {
    this.#socket.close();
  }
}
