import { descriptorCases } from "./descriptors.cases.ts";
import { EpollReactor } from "./epoll.ts";
import { reactorCases } from "./reactor.cases.ts";

reactorCases("epoll", () => new EpollReactor());
reactorCases("epoll, one event at a time", () => new EpollReactor(undefined, 1));
descriptorCases("epoll", "EpollReactor");
