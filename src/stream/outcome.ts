/** What handlers of phases return; whatever else is the status that the session ends with. nginx: NGX_OK and its like, NGX_STREAM_OK and its like. */

/** The phase is over: the next phase. */
export const OK = 0;
/** Nothing to say: the next handler. */
export const DECLINED = -5;
/** Preread only: more of the client's bytes are needed. */
export const AGAIN = -2;

export const FINISHED = 200;
export const BAD_REQUEST = 400;
export const FORBIDDEN = 403;
export const INTERNAL_SERVER_ERROR = 500;
export const BAD_GATEWAY = 502;
export const SERVICE_UNAVAILABLE = 503;
