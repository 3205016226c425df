/** Variables of HTTP: those that a request is asked for. nginx: ngx_http_variables.c. */
import type * as net from "../net/variables.ts";
import type { Request } from "./request.ts";

export type Getter = net.Getter<Request>;
export type Setter = net.Setter<Request>;
export type Text = net.Text<Request>;
export type Matcher = net.Matcher<Request>;
export type Variable = net.Variable<Request>;
export type VariablePrefix = net.VariablePrefix<Request>;
export type Definition = net.Definition<Request>;
