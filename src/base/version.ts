/** The versions that this program states: its own, and those of the programs whose behaviour and files it follows. */

export const TANDEM_VERSION = "0.1.0";
/** Said by `nginx -v`, `-V` and the `Server` field, since tools and operators ask for features by it. */
export const NGINX_VERSION = "1.31.5";
/** Said by `keepalived -v`. */
export const KEEPALIVED_VERSION = "2.2.7";
