/**
 * Goodbyes: a router that was active, or may have been in an earlier life, tells the one that is, with an advert of priority 1, sent when our
 * addresses are gone. The winner's answer (it answers every lower advert at once, and announces) is the receipt. Without one the goodbye is
 * repeated at its next adverts, then after pauses that double: whoever is deaf in one direction for minutes hears one soon afterwards. (Not
 * priority 0: that would start an election among third routers.) Tandem's own; the wire stays compatible.
 */
import { equalBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import { PRIORITY_STOP } from "../wire/vrrp/advert.ts";
import { type RouterAdvert, type RouterState, type Step, unchanged } from "./state.ts";

/**
 * The lowest priority of all: a goodbye must not win (with nopreempt we may rank above the active router), and must not
 * be taken for the active router by third routers that rank below us.
 */
export const PRIORITY_GOODBYE = 1;

/** Behind this many of them the pauses grow: 1, 2, 4 … intervals, 512 before the last one. */
const SPACED_GOODBYES = 10;

/** To a router whose advert has come; `before`: our state until then. */
export function sayGoodbye(state: RouterState, before: RouterState, advert: RouterAdvert): Step {
  const { goodbyesLeft, goodbyeMs, intervalMs } = state;
  if (goodbyesLeft === 0) return unchanged(state);
  const { atMs } = advert;
  const sinceLastMs = atMs - before.heardMs;
  if (isReceipt(before, advert)) return unchanged({ ...state, goodbyesLeft: 0 });
  // Only to a router whose adverts keep coming: those that waited while we were suspended may be its last words. And behind one that is
  // late by more than half an interval the next may come too soon to be told from an answer.
  if (sinceLastMs < intervalMs / 2 || sinceLastMs > 1.5 * intervalMs) return unchanged(state);
  if (goodbyesLeft <= SPACED_GOODBYES && atMs - goodbyeMs < (2 ** (SPACED_GOODBYES - goodbyesLeft) - 0.5) * intervalMs)
    return unchanged(state);
  return {
    state: { ...state, goodbyesLeft: goodbyesLeft - 1, goodbyeMs: atMs },
    effects: [{ kind: "send", priority: PRIORITY_GOODBYE }],
  };
}

/**
 * An advert right behind our goodbye is the receipt; one on schedule means that the winner may not have heard it. What else may come right
 * behind a goodbye that was lost: a copy of the advert that it followed; one that was in the socket before it; word that the winner's
 * priority has fallen; another router that was active, too. Behind a late advert the next one on schedule may be as close as half an interval.
 */
function isReceipt({ goodbyeMs, intervalMs, activeRouter: known }: RouterState, advert: RouterAdvert): boolean {
  const { atMs, source, priority, isCopy, hasWaited } = advert;
  if (isCopy === true || hasWaited === true || atMs - goodbyeMs >= intervalMs / 4) return false;
  return known?.priority === priority && equalBytes(known.source, source);
}

/** Not the router that we know as active: its goodbye is not for us, and says nothing about the active one being alive. */
export function isBystander({ activeRouter: known }: RouterState, source: IpAddress): boolean {
  return known !== undefined && known.priority !== PRIORITY_STOP && !equalBytes(known.source, source);
}

/** The router that we know as active. */
export function isKnown({ activeRouter: known }: RouterState, source: IpAddress): boolean {
  return known !== undefined && known.priority !== PRIORITY_STOP && equalBytes(known.source, source);
}
