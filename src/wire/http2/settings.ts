/** What an endpoint says of itself, RFC 9113 §6.5. */
import type { Bytes } from "../../base/bytes.ts";
import {
  DEFAULT_FRAME_BYTES,
  DEFAULT_TABLE_BYTES,
  DEFAULT_WINDOW_BYTES,
  ENABLE_CONNECT_PROTOCOL,
  ENABLE_PUSH,
  FLOW_CONTROL_ERROR,
  HEADER_TABLE_SIZE,
  INITIAL_WINDOW_SIZE,
  LARGEST_FRAME_LIMIT,
  LARGEST_WINDOW_BYTES,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_SIZE,
  MAX_HEADER_LIST_SIZE,
  NO_ERROR,
  NO_RFC7540_PRIORITIES,
  PROTOCOL_ERROR,
  SMALLEST_FRAME_LIMIT,
} from "./protocol.ts";

const SETTING_BYTES = 6;

/** A peer's settings, as its SETTINGS frames have changed them so far. */
export class PeerSettings {
  headerTableBytes = DEFAULT_TABLE_BYTES;
  /** The peer may be sent PUSH_PROMISE. */
  enablePush = true;
  maxConcurrentStreams = Number.POSITIVE_INFINITY;
  initialWindowBytes = DEFAULT_WINDOW_BYTES;
  maxFrameBytes = DEFAULT_FRAME_BYTES;
  maxHeaderListBytes = Number.POSITIVE_INFINITY;
  /** RFC 8441: CONNECT with `:protocol`. */
  enableConnectProtocol = false;
  /** RFC 9218: the old priorities are ignored. */
  noOldPriorities = false;

  /**
   * Takes the payload of a SETTINGS frame, in its order; the last of several equal ones holds. Returns NO_ERROR, or the code
   * of the connection error.
   */
  apply(bytes: Bytes, start: number, end: number): number {
    for (let at = start; at + SETTING_BYTES <= end; at += SETTING_BYTES) {
      const id = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      const high = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
      const low = ((bytes[at + 4] as number) << 8) | (bytes[at + 5] as number);
      const error = this.set(id, high * 0x1_0000 + low);
      if (error !== NO_ERROR) return error;
    }
    return NO_ERROR;
  }

  private set(id: number, value: number): number {
    switch (id) {
      case HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        return NO_ERROR;
      case ENABLE_PUSH:
        this.enablePush = value === 1;
        return value > 1 ? PROTOCOL_ERROR : NO_ERROR;
      case MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value;
        return NO_ERROR;
      case INITIAL_WINDOW_SIZE:
        this.initialWindowBytes = value;
        return value > LARGEST_WINDOW_BYTES ? FLOW_CONTROL_ERROR : NO_ERROR;
      case MAX_FRAME_SIZE:
        this.maxFrameBytes = value;
        return value < SMALLEST_FRAME_LIMIT || value > LARGEST_FRAME_LIMIT ? PROTOCOL_ERROR : NO_ERROR;
      case MAX_HEADER_LIST_SIZE:
        this.maxHeaderListBytes = value;
        return NO_ERROR;
      case ENABLE_CONNECT_PROTOCOL:
        // It can't be taken back (RFC 8441 §3).
        if (value > 1 || (value === 0 && this.enableConnectProtocol)) return PROTOCOL_ERROR;
        this.enableConnectProtocol = value === 1;
        return NO_ERROR;
      case NO_RFC7540_PRIORITIES:
        this.noOldPriorities = value === 1;
        return value > 1 ? PROTOCOL_ERROR : NO_ERROR;
      default:
        return NO_ERROR;
    }
  }
}
