import { descriptorCases } from "./descriptors.cases.ts";
import { EpollReactor } from "./epoll.ts";
import { reactorCases } from "./reactor.cases.ts";

reactorCases("epoll", () => new EpollReactor());
descriptorCases("epoll", "EpollReactor");
