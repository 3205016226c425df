/** What the error log says a connection was doing, in nginx's words. */

export const READING_LINE = "while reading client request line";
export const READING_PIPELINED_LINE = "while reading client pipelined request line";
export const READING_HEADERS = "while reading client request headers";
export const READING_PROXY_HEADER = "while reading PROXY protocol";
export const WAITING_FOR_REQUEST = "while waiting for request";
export const LOGGING_REQUEST = "while logging request";
export const SENDING_TO_CLIENT = "while sending to client";
/** The same of a file. */
export const SENDING_RESPONSE = "while sending response to client";
