/**
 * What has to be different when an ordinary user rehearses: in a user namespace nobody but root exists, and the machine's
 * own directories belong to nobody there, so that no path can be judged as secure.
 */
import { type Edit, editAll, removeKeyword, setKeyword } from "./edit.ts";
import { KEEPALIVED_CONF, NGINX_CONF, type NodeFiles } from "./files.ts";

/** For the user, in one sentence. */
export const USER_NAMESPACE_NOTE =
  "without root: workers and scripts run as this user, and enable_script_security is left out";

const keepalivedEdit: Edit = (text) =>
  /^\s*(script_user|enable_script_security)\b/m.test(text)
    ? editAll([
        setKeyword("global_defs", "script_user", "root"),
        removeKeyword("global_defs", "enable_script_security"),
      ])(text)
    : text;

/** nginx's `user` stands outside of all blocks, at the beginning of a line in every file that was ever seen. */
const nginxEdit: Edit = (text) => text.replace(/^user\s[^;{}]*;/m, "user root;");

/** A node's files for a namespace in which only root exists. */
export function filesForUserNamespace(files: NodeFiles): NodeFiles {
  return new Map(
    [...files].map(([name, { mode, bytes }]) => {
      const edit = name === NGINX_CONF ? nginxEdit : name === KEEPALIVED_CONF ? keepalivedEdit : undefined;
      return [name, { mode, bytes: edit === undefined ? bytes : Buffer.from(edit(bytes.toString("utf8")), "utf8") }];
    }),
  );
}
