/** Names and passwords of HTTP Basic authentication, looked up in a file. nginx: ngx_http_auth_basic_module. */
import type { Use } from "../../conf/slot.ts";
import { raw, template } from "../../conf/slots.ts";
import { constantOf, type Template } from "../../conf/template.ts";
import { CONNECT } from "../../wire/http1/methods.ts";
import { type Credentials, credentialsOf } from "../basic-credentials.ts";
import { PIECE_BYTES } from "../body.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { DECLINED, OK } from "../outcome.ts";
import { encrypt, isSameSecret, PasswordSearch, untilNul } from "../passwords.ts";
import type { Request } from "../request.ts";
import type { Text } from "../variables.ts";

const EVERYWHERE = "http, server, location, limit_except";
const ENOENT = 2;

/** A file whose name may have variables. */
interface UserFile {
  readonly path: Template;
  /** Where a relative path begins that variables have made. */
  readonly folder: string;
}

function parseUserFile(use: Use): UserFile | undefined {
  const word = use.args[0] as string;
  const { confPrefix: folder } = use.environment;
  const path = use.template(/^[/$]/.test(word) ? word : folder + word);
  return path === undefined ? undefined : { path, folder };
}

const directives = {
  auth_basic: template(undefined, {
    in: EVERYWHERE,
    doc: "Asks clients for a name and a password: the text is the realm, `off` asks for none.",
  }),
  auth_basic_user_file: raw<UserFile, undefined>(undefined, parseUserFile, {
    in: EVERYWHERE,
    syntax: "file",
    doc: "The file with names and passwords; a relative one lies beside the main configuration file.",
  }),
};

/** Asks for what is missing. */
function challenge(request: Request, realm: string): number {
  const isProxy = request.method === CONNECT;
  request.addHeader(isProxy ? "Proxy-Authenticate" : "WWW-Authenticate", `Basic realm="${realm}"`);
  return isProxy ? 407 : 401;
}

/** The user's stored password; undefined without one, or the status when the file can't be read. */
function lookUp(request: Request, { user }: Credentials, path: string): string | number | undefined {
  const { connection } = request;
  const { ports, pieceMemory: memory } = connection.worker;
  const fd = ports.files.open(untilNul(path));
  if (fd < 0) {
    const isMissing = -fd === ENOENT;
    connection.logError(isMissing ? "error" : "crit", `open() "${path}" failed`, -fd);
    return isMissing ? 403 : 500;
  }
  const search = new PasswordSearch(user);
  let read = 0;
  for (let position = 0; ; position += read) {
    read = ports.files.read(fd, memory, 0, PIECE_BYTES, position);
    if (read <= 0 || search.add(memory.bytes.subarray(0, read))) break;
  }
  ports.files.close(fd);
  memory.bytes.fill(0, 0, Math.max(0, read));
  if (read >= 0) return search.result;
  connection.logError("crit", `pread() "${path}" failed`, -read);
  return 500;
}

/** 0 when the password is the stored one, else the status. */
function compare(request: Request, { user, password }: Credentials, stored: string, realm: string): number {
  const { connection } = request;
  const crypted = encrypt(untilNul(password), stored, connection.worker.ports.crypt);
  if (!crypted.ok) {
    if (crypted.errno === 0) connection.logError("crit", "crypt_r() failed: this machine has no libcrypt");
    else connection.logError("crit", "crypt_r() failed", crypted.errno);
    return 500;
  }
  if (isSameSecret(crypted.value, stored)) return OK;
  connection.logError("error", `user "${user}": password mismatch`);
  return challenge(request, realm);
}

function check(request: Request, realm: string, file: Text, folder: string): number {
  const { connection } = request;
  const credentials = credentialsOf(request);
  if (credentials === undefined) {
    connection.logError("info", "no user/password was provided for basic authentication");
    return challenge(request, realm);
  }
  const name = file(request);
  const path = name.startsWith("/") ? name : folder + name;
  const stored = lookUp(request, credentials, path);
  if (typeof stored === "number") return stored;
  if (stored !== undefined) return compare(request, credentials, untilNul(stored), realm);
  connection.logError("error", `user "${credentials.user}" was not found in "${path}"`);
  return challenge(request, realm);
}

function build(realm: Template | undefined, file: UserFile | undefined, place: Place): Handler | undefined {
  if (realm === undefined || file === undefined || constantOf(realm) === "off") return undefined;
  const realmText = place.compile(realm);
  const path = place.compile(file.path);
  return (request) => {
    const value = realmText(request);
    return value === "off" ? DECLINED : check(request, value, path, file.folder);
  };
}

export const authBasic = httpModule({
  name: "auth_basic",
  directives,
  phases: { access: (conf, place) => build(conf.auth_basic, conf.auth_basic_user_file, place) },
});
